"""A random model of a shape as Q4_K_M, written packed: its floats are never on the disk, and few in memory.

Of each length of row and type some rows are packed once, and repeated: 7B takes 5 GB of disk instead of 20, and half a
minute instead of twenty. Which matrix gets which type is llama.cpp's own rule (`llama_tensor_get_type` of
llama-quant.cpp, for a dense model without measured importances).
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from numpy.typing import NDArray

from shammah_convert.base import About, add_about, add_config
from shammah_convert.files import whole
from shammah_convert.ggml import block, pack
from shammah_convert.names import gguf_name, hf_names
from shammah_convert.shape import BaseConfig, shape_of
from shammah_convert.vocabulary import Vocabulary, add_vocabulary

# No divisor in common with any row's length, so that rows cut from the same numbers differ.
POOL_SIZE = 4_000_037
WEIGHT_SCALE = 0.02
# Rows that are no whole blocks of 256 values.
_SHORT = {Type.Q4_K: Type.Q5_0, Type.Q6_K: Type.Q8_0}


def write_q4_k_m(path: Path, config: BaseConfig, vocabulary: Vocabulary, about: About) -> None:
    """Write a model with a token for each row of the embedding; the file appears when it is whole."""
    rows = len(vocabulary.tokens)
    names = hf_names(config.architecture, config.layers, config.is_tied)
    tensors = {gguf_name(config.architecture, config.layers, name): _tensor(config, name, rows) for name in names}
    with whole(path) as partial:
        writer = gguf.GGUFWriter(partial, config.architecture)
        try:
            add_about(writer, about, gguf.LlamaFileType.MOSTLY_Q4_K_M)
            add_config(writer, config)
            add_vocabulary(writer, vocabulary, rows)
            _write_tensors(writer, tensors, zeros=len(vocabulary.controls))
        finally:
            writer.close()


@dataclass(frozen=True, slots=True)
class Tensor:
    """What is to be written: (rows, columns), or one row."""

    rows: int
    columns: int
    kind: Type

    @property
    def row_bytes(self) -> int:
        """Of a row, packed."""
        values, size = block(self.kind)
        return self.columns // values * size

    def packed(self, name: str, zeros: int) -> NDArray[np.uint8]:
        """Its blocks, (rows, bytes); of a matrix over tokens so many rows at the end are zero."""
        if "norm" in name:
            return np.ones((1, self.columns), np.float32).view(np.uint8)
        pool = packed_pool(self.columns, self.kind)
        first = zlib.crc32(name.encode())  # each tensor begins elsewhere in the same rows
        found = pool[(first + np.arange(self.rows)) % len(pool)]
        if name in ("token_embd.weight", "output.weight"):  # no control token is ever the likeliest
            found[-zeros:] = pack(np.zeros((1, self.columns), np.float32), self.kind)
        return found


def kind_of(config: BaseConfig, name: str, columns: int) -> Type:
    """The type that llama.cpp's Q4_K_M gives to a matrix, by its Hugging Face name."""
    part = name.split(".")[-2]
    is_output = part == "lm_head" or (part == "embed_tokens" and config.is_tied)
    is_rich = part in ("v_proj", "down_proj") and _has_more_bits(int(name.split(".")[2]), config.layers)
    kind = Type.Q6_K if is_output or is_rich else Type.Q4_K
    return _SHORT[kind] if columns % block(kind)[0] else kind


def _has_more_bits(layer: int, layers: int) -> bool:
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def _tensor(config: BaseConfig, name: str, rows: int) -> Tensor:
    shape = shape_of(config, name, rows)
    if len(shape) == 1:
        return Tensor(1, shape[0], Type.F32)
    return Tensor(shape[0], shape[1], kind_of(config, name, shape[1]))


def _write_tensors(writer: gguf.GGUFWriter, tensors: Mapping[str, Tensor], zeros: int) -> None:
    for name, tensor in tensors.items():
        is_vector = tensor.kind == Type.F32
        shape = (tensor.columns,) if is_vector else (tensor.rows, tensor.row_bytes)
        dtype = np.dtype(np.float32 if is_vector else np.uint8)
        writer.add_tensor_info(name, shape, dtype, tensor.rows * tensor.row_bytes, tensor.kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for name, tensor in tensors.items():
        writer.write_tensor_data(tensor.packed(name, zeros))


@cache
def packed_pool(columns: int, kind: Type) -> NDArray[np.uint8]:
    """Rows of random weights, packed, (rows, bytes): as many as the numbers suffice for."""
    return pack(pool()[: POOL_SIZE // columns * columns].reshape(-1, columns), kind)


@cache
def pool() -> NDArray[np.float32]:
    """Random weights."""
    return np.random.default_rng(0).standard_normal(POOL_SIZE, np.float32) * np.float32(WEIGHT_SCALE)
