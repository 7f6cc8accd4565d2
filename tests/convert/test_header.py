"""Our reading of GGUF headers: what gguf-py finds, we find; broken files are refused by name, and nothing else."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah.bases import SEEDLING
from shammah_convert import header
from shammah_convert.header import BadHeader
from shammah_convert.lora import BadAdapter, read_lora, write_lora
from shammah_convert.mapped import MappedFile
from shammah_convert.opened import OpenBase
from shammah_convert.shape import BadBase
from tests.lora_files import BASE, make_lora
from tests.qwens import KINDS
from tests.splits import split
from tests.tiny import write_tiny

Make = Callable[[Path], tuple[Path, ...]]


def seedling(_: Path) -> tuple[Path, ...]:
    return (SEEDLING,)


def adapter(folder: Path) -> tuple[Path, ...]:
    write_lora(folder / "lora.gguf", make_lora(), BASE)
    return (folder / "lora.gguf",)


def parts(folder: Path) -> tuple[Path, ...]:
    return split(write_tiny(folder / "whole.gguf"), 3)


def qwens(folder: Path) -> tuple[Path, ...]:
    return tuple(kind.write(folder / f"{kind}.gguf") for kind in KINDS)


def of_every_type(folder: Path) -> tuple[Path, ...]:
    writer = gguf.GGUFWriter(folder / "types.gguf", "qwen2")
    kinds = gguf.GGUFValueType
    numbers = (kinds.UINT8, kinds.UINT16, kinds.UINT32, kinds.UINT64, kinds.INT8, kinds.INT16, kinds.INT32, kinds.INT64)
    for kind in numbers:
        writer.add_key_value(f"of.{kind.name}", 100, kind)
        writer.add_key_value(f"many.{kind.name}", [1, 2, 100], kinds.ARRAY, kind)
    for kind in (kinds.FLOAT32, kinds.FLOAT64):
        writer.add_key_value(f"of.{kind.name}", 0.1, kind)
        writer.add_key_value(f"many.{kind.name}", [0.1, -1e30], kinds.ARRAY, kind)
    writer.add_key_value("of.yes", True, kinds.BOOL)
    writer.add_key_value("many.yes", [True, False], kinds.ARRAY, kinds.BOOL)
    writer.add_key_value("of.text", "caf\u00e9", kinds.STRING)
    writer.add_key_value("many.text", ["", "caf\u00e9", "\U0001f600"], kinds.ARRAY, kinds.STRING)
    for place, kind in enumerate((np.float16, np.float64, np.int8, np.int16, np.int32, np.int64)):
        writer.add_tensor(f"tensor.{place}", np.arange(6, dtype=kind).reshape(1, 2, 3))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return (folder / "types.gguf",)


@pytest.mark.parametrize("make", [seedling, adapter, parts, qwens, of_every_type])
def test_every_field_and_tensor_is_what_gguf_pys_reader_finds(make: Make, tmp_path: Path) -> None:
    for path in make(tmp_path):
        ours, theirs = MappedFile(path), gguf.GGUFReader(path)
        fields = {name: field for name, field in theirs.fields.items() if not name.startswith("GGUF.")}
        assert list(ours.fields) == list(fields)
        for name, field in fields.items():
            value = ours.value(name)
            assert (list(value) if isinstance(value, tuple) else value) == field.contents(), name
            assert ours.bytes_of(ours.fields[name]) == b"".join(part.tobytes() for part in field.parts), name
        assert ours.alignment == theirs.alignment
        assert list(ours.tensors) == [tensor.name for tensor in theirs.tensors]
        for tensor in theirs.tensors:
            found = ours.tensors[tensor.name]
            assert (found.kind, found.values) == (tensor.tensor_type, tensor.n_elements)
            assert found.shape == tuple(reversed(tensor.shape.tolist()))
            assert found.head == b"".join(part.tobytes() for part in tensor.field.parts[:-1])
            assert found.data.tobytes() == tensor.data.tobytes(), tensor.name


def test_a_tensor_may_be_written_to_and_the_file_stays_as_it_is(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "tiny.gguf")
    before = path.read_bytes()
    for tensor in MappedFile(path).tensors.values():
        tensor.data[...] = 0
    assert path.read_bytes() == before


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def field(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def tensor(name: str = "x", dimensions: tuple[int, ...] = (2,), kind: int = 0, offset: int = 0) -> bytes:
    shape = struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
    return text(name) + shape + struct.pack("<IQ", kind, offset)


def write(path: Path, *entries: bytes, tensors: int = 0, version: int = 3, tail: bytes = bytes(256)) -> Path:
    """A file by hand; the last entries are tensors."""
    path.write_bytes(
        struct.pack("<4sIQQ", b"GGUF", version, tensors, len(entries) - tensors) + b"".join(entries) + tail
    )
    return path


@pytest.mark.parametrize("version", [2, 3])
def test_versions_2_and_3_are_read(version: int, tmp_path: Path) -> None:
    file = MappedFile(write(tmp_path / "x.gguf", field("a", 4, b"\7\0\0\0"), tensor(), tensors=1, version=version))
    assert file.value("a") == 7
    assert file.tensors["x"].data.tolist() == [0] * 8


def test_an_alignment_of_its_own_says_where_the_tensors_begin(tmp_path: Path) -> None:
    entries = [field("general.alignment", 4, struct.pack("<I", 8)), tensor(offset=8)]
    head = 24 + sum(map(len, entries))
    tail = bytes(-head % 8 + 8) + np.array([1.5, 2.5], "<f4").tobytes()
    file = MappedFile(write(tmp_path / "x.gguf", *entries, tensors=1, tail=tail))
    assert file.tensors["x"].data.view(np.float32).tolist() == [1.5, 2.5]


HUGE = 2**63
BROKEN: dict[str, tuple[list[bytes], int, str]] = {
    "a text of no UTF-8 as a key": ([struct.pack("<Q", 1) + b"\xff" + struct.pack("<IB", 0, 0)], 0, "no UTF-8"),
    "a huge key": ([struct.pack("<Q", HUGE)], 0, "cut off"),
    "a huge text": ([field("a", 8, struct.pack("<Q", HUGE))], 0, "cut off"),
    "a huge array": ([field("a", 9, struct.pack("<IQ", 12, HUGE))], 0, "cut off"),
    "huge texts": ([field("a", 9, struct.pack("<IQ", 8, HUGE))], 0, "texts, more than fit"),
    "a huge text among others": ([field("a", 9, struct.pack("<IQQQ", 8, 2, HUGE, 1))], 0, "cut off within 2 texts"),
    "more texts than bytes": ([field("a", 9, struct.pack("<IQ", 8, 200))], 0, "texts, more than fit"),
    "an unknown type": ([field("a", 13, b"")], 0, "of type 13, which is unknown"),
    "an array of arrays": ([field("a", 9, struct.pack("<IQ", 9, 1))], 0, "of type 9, which is unknown"),
    "a key twice": ([field("a", 0, b"\0")] * 2, 0, "a stands in it twice"),
    "a tensor twice": ([tensor(), tensor()], 2, "x stands in it twice"),
    "a tensor of no dimensions": ([tensor(dimensions=())], 1, "0 dimensions"),
    "a tensor of five dimensions": ([tensor(dimensions=(1,) * 5)], 1, "5 dimensions"),
    "a tensor over another": ([tensor("x", (8,)), tensor("y", (2,))], 2, "y lies over x|x lies over y"),
    "an empty tensor": ([tensor(dimensions=(2, 0))], 1, "no whole blocks"),
    "half a block": ([tensor(dimensions=(33,), kind=8)], 1, "no whole blocks of Q8_0"),
    "a tensor of an unknown type": ([tensor(kind=99)], 1, "of type 99, which is unknown"),
    "a tensor beyond the end": ([tensor(offset=4096)], 1, "cut off"),
    "a huge tensor": ([tensor(dimensions=(HUGE, HUGE, HUGE, HUGE))], 1, "cut off"),
    "a tensor that begins anywhere": ([tensor(offset=7)], 1, "x is to lie at"),
    "an alignment of nothing": ([field("general.alignment", 4, bytes(4))], 0, "no power of two"),
    "an alignment in words": ([field("general.alignment", 8, text("x"))], 0, "no power of two"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_is_refused_by_name(what: str, tmp_path: Path) -> None:
    entries, tensors, words = BROKEN[what]
    with pytest.raises(BadHeader, match=words):
        MappedFile(write(tmp_path / "x.gguf", *entries, tensors=tensors))


@pytest.mark.parametrize(("count", "words"), [(2**64 - 1, "more than make sense"), (1000, "cut off")])
def test_more_fields_or_tensors_than_there_are_bytes_are_refused(count: int, words: str, tmp_path: Path) -> None:
    for counts in ((0, count), (count, 0)):
        (tmp_path / "x.gguf").write_bytes(struct.pack("<4sIQQ", b"GGUF", 3, *counts))
        with pytest.raises(BadHeader, match=words):
            MappedFile(tmp_path / "x.gguf")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"GG", "cut off"),
        (b"PK\3\4" + bytes(100), "does not begin as a GGUF does"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1, not 2 or 3"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "it is big-endian"),
    ],
)
def test_what_is_no_gguf_of_ours_is_refused(data: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(data)
    with pytest.raises(BadHeader, match=words):
        MappedFile(tmp_path / "x.gguf")


def test_a_text_of_no_utf8_is_refused_when_it_is_asked_for(tmp_path: Path) -> None:
    one = struct.pack("<Q", 1) + b"\xff"
    file = MappedFile(write(tmp_path / "x.gguf", field("a", 8, one), field("b", 9, struct.pack("<IQ", 8, 1) + one)))
    for name in ("a", "b"):
        with pytest.raises(BadHeader, match="no UTF-8"):
            file.value(name)


@pytest.mark.parametrize(
    ("start", "size", "words"),
    [
        (field("a", 9, struct.pack("<IQ", 0, header.MOST_NUMBERS + 1)), header.MOST_NUMBERS + 1, "16,777,217 numbers"),
        (field("a", 8, struct.pack("<Q", header.MOST_BYTES + 1)), header.MOST_BYTES + 1, "16,777,217 bytes"),
        (
            field("a", 9, struct.pack("<IQQ", 8, 1, header.MOST_TEXTS_BYTES)),
            header.MOST_TEXTS_BYTES,
            "268,435,464 bytes",
        ),
    ],
)
def test_what_would_fill_the_memory_is_gone_past_and_refused_when_it_is_asked_for(
    start: bytes, size: int, words: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "x.gguf", start, tail=b"")
    with path.open("r+b") as stream:
        stream.truncate(path.stat().st_size + size)  # a hole, which takes no room
    file = MappedFile(path)
    with pytest.raises(BadHeader, match=words):
        file.value("a")


def test_fields_are_found_one_by_one_before_a_cut_is_met() -> None:
    data = struct.pack("<4sIQQ", b"GGUF", 3, 0, 2) + field("a", 0, b"\5") + b"\0"
    found = header.fields(data)
    assert header.value(data, next(found)) == 5
    with pytest.raises(BadHeader):
        next(found)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_tiny(tmp_path_factory.mktemp("tiny") / "tiny.gguf").read_bytes()


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return adapter(tmp_path_factory.mktemp("lora"))[0].read_bytes()


# Header bytes are what matters: of the tiny base 11,000, of the adapter 800.
DAMAGE = st.lists(st.tuples(st.integers(0, 12_000), st.binary(min_size=1, max_size=9)), min_size=1, max_size=4)


def damaged(whole: bytes, damage: list[tuple[int, bytes]], path: Path) -> Path:
    data = bytearray(whole)
    for place, other in damage:
        place %= len(data)
        data[place : place + len(other)] = other
    path.write_bytes(data)
    return path


def use_all(base: OpenBase) -> list[Any]:
    return [base.parameters, base.size_bytes, base.size_label, base.tensor_types, base.name, base.chat_format]


@given(damage=DAMAGE)
def test_a_damaged_base_is_read_or_refused_and_nothing_else(
    tiny: bytes, damage: list[tuple[int, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = damaged(tiny, damage, tmp_path_factory.getbasetemp() / "base.gguf")
    try:
        base = OpenBase(path)
        assert all(fact is not None for fact in use_all(base))
        assert base.vocabulary().tokens
        for name in base.names():
            assert base.packed(name)[0].size
        assert base.rows
    except BadBase:
        return


@given(damage=DAMAGE)
def test_a_damaged_adapter_is_read_or_refused_and_nothing_else(
    lora: bytes, damage: list[tuple[int, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = damaged(lora, [(place % 800, other) for place, other in damage], tmp_path_factory.getbasetemp() / "l.gguf")
    try:
        assert read_lora(path, BASE).pairs
    except BadAdapter:
        return
