"""A model's attention is read from its header as gguf-py reads it, and broken headers are refused."""

import struct
from pathlib import Path

import gguf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah.bases import SEEDLING
from shammah_convert.attention import Attention
from shammah_convert.opened import OpenBase
from shammah_convert.shape import BadBase
from tests.qwens import Kind
from tests.tiny import write_tiny


def as_opened(path: Path) -> Attention:
    config = OpenBase(path).config
    return Attention(config.layers, config.kv_heads, config.head_size, config.context_tokens)


@pytest.mark.parametrize("architecture", ["qwen2", "qwen3"])
def test_it_says_what_the_whole_file_says(architecture: str, tmp_path: Path) -> None:
    path = Kind("qwen3" if architecture == "qwen3" else "qwen2").write(tmp_path / "base.gguf")
    assert Attention.read(path) == as_opened(path)
    assert Attention.read(SEEDLING) == as_opened(SEEDLING)


def test_lists_before_the_shape_and_a_tokenizer_before_it_are_gone_past(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "odd.gguf", "qwen2")
    writer.add_languages(["en", "de"])
    writer.add_array("general.numbers", [1, 2, 3])
    writer.add_token_list(["a", "b"])
    writer.add_block_count(28)
    writer.add_head_count(12)
    writer.add_head_count_kv(2)
    writer.add_embedding_length(1536)
    writer.add_context_length(32768)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    assert Attention.read(tmp_path / "odd.gguf") == Attention(28, 2, 128, 32768)


def test_without_key_value_heads_each_head_has_its_own(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "plain.gguf", "qwen2")
    for add, value in (
        (writer.add_block_count, 2),
        (writer.add_head_count, 4),
        (writer.add_embedding_length, 64),
        (writer.add_context_length, 512),
    ):
        add(value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    assert Attention.read(tmp_path / "plain.gguf") == Attention(2, 4, 16, 512)


def test_a_token_of_qwen_1_5b_takes_28_kib() -> None:
    # 28 layers, 2 key-value heads of 128 values, keys and values, two bytes each.
    assert Attention(28, 2, 128, 32768).token_bytes == 28 * 1024


def test_what_is_no_gguf_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "some.gguf"
    with pytest.raises(BadBase, match="does not tell its shape"):
        Attention.read(file)
    for data in (b"", b"GGUF", b"PK" + b"\0" * 100, b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60)):
        file.write_bytes(data)
        with pytest.raises(BadBase, match="does not tell its shape"):
            Attention.read(file)


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_tiny(tmp_path_factory.mktemp("header") / "tiny.gguf").read_bytes()[:2000]


@given(place=st.integers(0, 1999), value=st.integers(0, 255), length=st.integers(0, 2000))
def test_a_damaged_header_is_read_or_refused_and_nothing_else(
    header: bytes, tmp_path_factory: pytest.TempPathFactory, place: int, value: int, length: int
) -> None:
    file = tmp_path_factory.getbasetemp() / "damaged.gguf"
    file.write_bytes((header[:place] + bytes([value]) + header[place + 1 :])[:length])
    try:
        found = Attention.read(file)
    except BadBase:
        return
    assert isinstance(found.token_bytes, int)
