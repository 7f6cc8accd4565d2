"""Blocks become the floats that gguf-py, which is slower, makes of them."""

import importlib.util
from typing import Any

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type

from shammah_convert import ggml
from shammah_convert.shape import BadBase

WRITTEN = (
    Type.F32, Type.F16, Type.BF16, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0,
    Type.Q2_K, Type.Q3_K, Type.Q4_K, Type.Q5_K, Type.Q6_K, Type.IQ4_NL, Type.IQ4_XS,
)  # fmt: skip
"""Every type that llama.cpp's quantizer writes for a Qwen."""


@pytest.mark.parametrize("kind", WRITTEN, ids=lambda kind: kind.name)
def test_every_type_is_unpacked_as_gguf_py_does_it(kind: Type) -> None:
    packed = random_blocks(kind, rows=3, columns=512)
    wanted = gguf.quants.dequantize(packed, kind)
    assert np.array_equal(ggml.unpack(packed, kind), wanted)
    assert wanted.std() > 0


def random_blocks(kind: Type, rows: int, columns: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Blocks of random numbers, as bytes: every byte is allowed but in the floats, which are to be finite."""
    random = np.random.default_rng(0)
    values, size = ggml.block(kind)
    if size == 2 * values or size == 4 * values:
        floats = random.normal(size=(rows, columns)).astype(np.float32)
        plain: np.ndarray[Any, np.dtype[np.uint8]] = gguf.quants.quantize(floats, kind).view(np.uint8)
        return plain.reshape(rows, -1)
    packed = random.integers(0, 256, (rows * columns // values, size), dtype=np.uint8)
    for place in _SCALES[kind]:
        packed[:, place : place + 2] = random.uniform(0.01, 1, (len(packed), 1)).astype(np.float16).view(np.uint8)
    return packed.reshape(rows, -1)


_SCALES = {
    Type.Q4_0: (0,), Type.Q4_1: (0, 2), Type.Q5_0: (0,), Type.Q5_1: (0, 2), Type.Q8_0: (0,), Type.Q2_K: (80, 82),
    Type.Q3_K: (108,), Type.Q4_K: (0, 2), Type.Q5_K: (0, 2), Type.Q6_K: (208,), Type.IQ4_NL: (0,), Type.IQ4_XS: (0,),
}  # fmt: skip
"""Where the float16 numbers of a block begin, as ggml-common.h has them."""


def test_bytes_that_are_no_whole_blocks_are_refused() -> None:
    with pytest.raises(BadBase, match="no whole blocks of Q8_0"):
        ggml.unpack(np.zeros(33, dtype=np.uint8), Type.Q8_0)


def test_a_type_that_ggml_does_not_unpack_is_named() -> None:
    with pytest.raises(BadBase, match="I32"):
        ggml.unpack(np.zeros(32, dtype=np.uint8), Type.I32)


def test_without_llama_cpp_python_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    ggml.library.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(BadBase, match="llama-cpp-python"):
        ggml.library()
