"""Quantized blocks to floats and back at C speed, through the ggml library that llama-cpp-python brings along.

The package is found, never imported: importing it would load the whole of llama.cpp.
"""

import ctypes
import importlib.util
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType
from numpy.typing import NDArray

from shammah_convert.shape import BadBase

_LIBRARIES = {"darwin": "libggml-base.dylib", "win32": "ggml-base.dll"}


class _TypeTraits(ctypes.Structure):
    """The head of `struct ggml_type_traits` in ggml.h; nothing after it is read."""

    _fields_ = (
        ("type_name", ctypes.c_char_p),
        ("block_size", ctypes.c_int64),
        ("block_size_interleave", ctypes.c_int64),
        ("type_size", ctypes.c_size_t),
        ("is_quantized", ctypes.c_bool),
        ("to_float", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)),
    )


@cache
def library() -> ctypes.CDLL:
    """`libggml-base`, as it lies beside llama-cpp-python.

    Raises:
        BadBase: It is not there.
    """
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        raise BadBase("quantized weights are unpacked by llama-cpp-python's ggml, and it is not installed here")
    file = Path(spec.origin).parent / "lib" / _LIBRARIES.get(sys.platform, "libggml-base.so")
    try:
        ggml = ctypes.CDLL(os.fspath(file))
    except OSError as error:
        raise BadBase(f"quantized weights are unpacked by {file}, which cannot be loaded: {error}") from error
    ggml.ggml_get_type_traits.argtypes = [ctypes.c_int]
    ggml.ggml_get_type_traits.restype = ctypes.POINTER(_TypeTraits)
    ggml.ggml_quantize_requires_imatrix.argtypes = [ctypes.c_int]
    ggml.ggml_quantize_requires_imatrix.restype = ctypes.c_bool
    # (type, floats, blocks, first value, rows, values a row, importances)
    ggml.ggml_quantize_chunk.argtypes = [
        ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * 3, ctypes.c_void_p
    ]  # fmt: skip
    ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
    return ggml


def block(kind: GGMLQuantizationType) -> tuple[int, int]:
    """How many values a block holds, and how many bytes it takes."""
    values, size = gguf.GGML_QUANT_SIZES[kind]
    return int(values), int(size)


@cache
def unpacker(kind: GGMLQuantizationType) -> Callable[[int, int, int], None]:
    """What turns whole blocks at one address into float32 at another: (blocks' address, floats' address, values).

    It lets go of the interpreter's lock, so that several threads can each work on blocks of their own.

    Raises:
        BadBase: ggml cannot unpack the type.
    """
    if kind == GGMLQuantizationType.F32:  # ggml has no function that copies
        return _copy
    to_float = library().ggml_get_type_traits(int(kind)).contents.to_float
    if not to_float:
        raise BadBase(f"ggml does not unpack {kind.name}")
    return to_float  # type: ignore[no-any-return]


def unpack(packed: NDArray[np.uint8], kind: GGMLQuantizationType) -> NDArray[np.float32]:
    """Unpack whole blocks: contiguous (..., bytes) -> (..., values).

    Raises:
        BadBase: ggml cannot unpack the type, or these are no whole blocks.
    """
    values, size = block(kind)
    if packed.shape[-1] % size:
        raise BadBase(f"{packed.shape[-1]:,} bytes are no whole blocks of {kind.name}")
    packed = np.ascontiguousarray(packed)
    floats = np.empty((*packed.shape[:-1], packed.shape[-1] // size * values), dtype=np.float32)
    unpacker(kind)(packed.ctypes.data, floats.ctypes.data, floats.size)
    return floats


def _copy(source: int, target: int, count: int) -> None:
    ctypes.memmove(target, source, 4 * count)


def check_packs(kind: GGMLQuantizationType) -> None:
    """Check that ggml packs floats into a type by itself; it ends the process where it does not.

    Raises:
        BadBase: It is a type of activations or numbers, or needs measured importances.
    """
    unpacker(kind)
    if kind != GGMLQuantizationType.F32 and library().ggml_quantize_requires_imatrix(int(kind)):
        raise BadBase(f"{kind.name} is packed by measured importances, which are not in the file")


def pack(values: NDArray[np.float32], kind: GGMLQuantizationType) -> NDArray[np.uint8]:
    """Pack rows of floats: contiguous (rows, values) -> (rows, bytes).

    Raises:
        BadBase: ggml cannot pack the type by itself, or a row is no whole blocks.
    """
    check_packs(kind)
    length, size = block(kind)
    rows, columns = values.shape
    if columns % length:
        raise BadBase(f"{columns:,} values are no whole blocks of {kind.name}")
    values = np.ascontiguousarray(values, dtype=np.float32)
    packed = np.empty((rows, columns // length * size), dtype=np.uint8)
    written = library().ggml_quantize_chunk(int(kind), values.ctypes.data, packed.ctypes.data, 0, rows, columns, None)
    assert written == packed.nbytes, f"{written} bytes of {packed.nbytes}"
    return packed
