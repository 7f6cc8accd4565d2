"""A base is looked at before anything runs it: what is sound passes, what llama.cpp would die of is refused by name."""

import math
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType

from shammah.bases import SEEDLING
from shammah_convert import header
from shammah_convert.ggml import block, unpack
from shammah_convert.inspect import SCALES, check_header, check_values, is_finite
from shammah_convert.mapped import Tensor
from shammah_convert.shape import BadBase
from tests.qwens import KINDS
from tests.splits import split
from tests.tiny import write_tiny

Change = Callable[[bytearray], None]


def test_sound_models_of_every_kind_pass(tmp_path: Path) -> None:
    parts = split(write_tiny(tmp_path / "whole.gguf"), 3)
    for path in (SEEDLING, parts[0], *(kind.write(tmp_path / f"{kind}.gguf") for kind in KINDS)):
        check_values(check_header(path))


def value(name: str, data: bytes) -> Change:
    """A field says something else."""

    def change(whole: bytearray) -> None:
        field = next(field for field in header.fields(bytes(whole)) if field.name == name)
        whole[field.value : field.value + len(data)] = data

    return change


def number(name: str, count: int) -> Change:
    return value(f"qwen2.{name}", struct.pack("<I", count))


def real(name: str, other: float) -> Change:
    return value(f"qwen2.{name}", struct.pack("<f", other))


def text(before: bytes, after: bytes) -> Change:
    def change(whole: bytearray) -> None:
        place = whole.index(struct.pack("<Q", len(before)) + before) + 8
        whole[place : place + len(after)] = after

    return change


def of_tensor(name: str, back: int, data: bytes) -> Change:
    """A tensor's entry says something else; its offset are the last eight bytes of it."""

    def change(whole: bytearray) -> None:
        *_, last = header.fields(bytes(whole))
        info = next(info for info in header.infos(bytes(whole), last.stop) if info.name == name)
        whole[info.stop - back : info.stop - back + len(data)] = data

    return change


EPSILON = "attention.layer_norm_rms_epsilon"
UNSOUND: dict[str, tuple[Change, str]] = {
    "no layers": (number("block_count", 0), "0 layers"),
    "layers without end": (number("block_count", 2**31 - 1), "2,147,483,647 layers"),
    "a layer that is not there": (number("block_count", 3), "lacks blk.2"),
    "no heads": (number("attention.head_count", 0), "cannot be read as a Qwen"),
    "heads that do not share": (number("attention.head_count_kv", 3), "cannot share 3"),
    "no key-value heads": (number("attention.head_count_kv", 0), "its key-value heads"),
    "odd heads": (number("attention.key_length", 15), "cannot halve"),
    "no context": (number("context_length", 0), "its context"),
    "another width": (number("embedding_length", 32), "is of shape"),
    "another feed-forward": (number("feed_forward_length", 2**31), "its feed-forward width"),
    **{f"epsilon {bad}": (real(EPSILON, bad), "its epsilon") for bad in (math.nan, math.inf, -1e-6, 0.0, 2.0)},
    **{f"rope {bad}": (real("rope.freq_base", bad), "rotary positions") for bad in (math.nan, -1.0, 0.0)},
    "a token twice": (text(b"ls", b"\xc4\xa0"), "stands in it twice"),
    "no token for a row": (value("tokenizer.ggml.tokens", struct.pack("<IQ", 8, 2)), "cannot be read|no sound model"),
    "types of bytes": (value("tokenizer.ggml.token_type", struct.pack("<I", 0)), "cannot be read|no sound model"),
    "no embedding": (text(b"token_embd.weight", b"token_embx.weight"), "lacks token_embd.weight"),
    "a tensor over another": (of_tensor("blk.0.ffn_up.weight", 8, bytes(8)), "lies over"),
    "a tensor of another shape": (of_tensor("output_norm.weight", 20, struct.pack("<Q", 32)), "of shape"),
}


@pytest.mark.parametrize("what", UNSOUND)
def test_what_cannot_be_a_qwen_is_refused_by_name(what: str, tmp_path: Path) -> None:
    change, words = UNSOUND[what]
    path = write_tiny(tmp_path / "tiny.gguf")
    whole = bytearray(path.read_bytes())
    change(whole)
    path.write_bytes(whole)
    with pytest.raises(BadBase, match=words):
        check_header(path)


def test_a_weight_that_is_no_number_is_named_with_its_tensor(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "tiny.gguf")
    whole = bytearray(path.read_bytes())
    whole[-4000:-3998] = b"\x00\x7e"  # NaN in F16
    path.write_bytes(whole)
    with pytest.raises(BadBase, match="holds weights that are not finite"):
        check_values(check_header(path))


KINDS_OF_BLOCKS = (*SCALES, GGMLQuantizationType.F32, GGMLQuantizationType.BF16, GGMLQuantizationType.TQ1_0)


@pytest.mark.parametrize("kind", KINDS_OF_BLOCKS, ids=str)
def test_blocks_are_finite_where_ggml_unpacks_them_to_numbers(kind: GGMLQuantizationType) -> None:
    values, size = block(kind)
    blocks = np.random.default_rng(0).integers(0, 256, (300, size), dtype=np.uint8)
    finite = [is_finite(Tensor("x", kind, (1, values), one.reshape(1, size), b"")) for one in blocks]
    assert finite == np.isfinite(unpack(blocks, kind)).all(axis=1).tolist()
    assert len(set(finite)) == 2 or kind in (GGMLQuantizationType.F32, GGMLQuantizationType.BF16)
