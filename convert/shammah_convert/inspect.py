"""Is a model's file sound: what its header says, before anything runs it; and whether its numbers are numbers.

llama.cpp ends the process on tokens that come twice, no layers or far too many, an epsilon below zero; GGUF has no
checksum, and NaN weights load silently. What is checked here takes time and memory in proportion to the file, whatever
it says of itself.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType
from numpy.typing import NDArray

from shammah_convert import header
from shammah_convert.files import in_words
from shammah_convert.ggml import block, unpack
from shammah_convert.mapped import MappedFile, Tensor
from shammah_convert.names import gguf_name
from shammah_convert.opened import OpenBase
from shammah_convert.shape import BadBase, BaseConfig

MOST_WIDTH = 1 << 20
"""Of anything that a shape counts: fifty times the widest Qwen."""
MOST_CONTEXT = 1 << 31
EMBEDDING = "token_embd.weight"

_TYPES = GGMLQuantizationType
SCALES: Mapping[GGMLQuantizationType, tuple[int, ...]] = {
    _TYPES.Q4_0: (0,), _TYPES.Q4_1: (0, 2), _TYPES.Q5_0: (0,), _TYPES.Q5_1: (0, 2), _TYPES.Q8_0: (0,),
    _TYPES.Q2_K: (80, 82), _TYPES.Q3_K: (108,), _TYPES.Q4_K: (0, 2), _TYPES.Q5_K: (0, 2), _TYPES.Q6_K: (208,),
    _TYPES.IQ4_NL: (0,), _TYPES.IQ4_XS: (0,), _TYPES.F16: (0,),
}  # fmt: skip
"""Where the float16 numbers of a block lie (ggml-common.h); all else in it is whole numbers."""

PIECE_BLOCKS = 1 << 16
FLOAT16_EXPONENT, BFLOAT16_EXPONENT = 0x7C00, 0x7F80
"""All bits set: infinite, or no number."""
INTEGERS, FLOAT32 = (4, 5), (6,)
"""As GGUF numbers the types of values."""


def check_header(path: Path) -> OpenBase:
    """Check that a file, or all parts of a split one, holds a Qwen by its own word; no weight is read.

    Raises:
        BadBase: It does not; the text says why.
    """
    base = OpenBase(path)
    try:
        fault = next(_faults(base), None)
    except BadBase as error:
        fault = str(error)
    except (ValueError, TypeError, ArithmeticError) as error:  # a BadHeader, or a value of another type
        fault = in_words(error)
    if fault is not None:
        raise BadBase(f"{path} is no sound model: {fault}")
    return base


def check_values(base: OpenBase) -> None:
    """Check that every weight is a number, of packed ones the scales: all of the file is read.

    Raises:
        BadBase: One is not.
    """
    for tensor in base.parts.tensors.values():
        if not is_finite(tensor):
            raise BadBase(f"{tensor.name} holds weights that are not finite")


def is_finite(tensor: Tensor) -> bool:
    """Whether all numbers of a tensor are."""
    _, size = block(tensor.kind)
    blocks = tensor.data.reshape(-1, size)
    pieces = (blocks[start : start + PIECE_BLOCKS] for start in range(0, len(blocks), PIECE_BLOCKS))
    return all(_are_finite(piece, tensor.kind) for piece in pieces)


def _are_finite(blocks: NDArray[np.uint8], kind: GGMLQuantizationType) -> bool:
    if kind in SCALES:
        return not any(_has(FLOAT16_EXPONENT, blocks[:, place : place + 2]) for place in SCALES[kind])
    if kind == _TYPES.BF16:
        return not _has(BFLOAT16_EXPONENT, blocks)
    if kind in (_TYPES.I8, _TYPES.I16, _TYPES.I32, _TYPES.I64):
        return True
    values = blocks.view(np.float64) if kind == _TYPES.F64 else unpack(blocks, kind)
    return bool(np.isfinite(values).all())


def _has(exponent: int, numbers: NDArray[np.uint8]) -> bool:
    bits = numbers.view("<u2")
    return bool(((bits & exponent) == exponent).any())


def _faults(base: OpenBase) -> Iterator[str]:
    """What is wrong with it, the first first."""
    yield from _of_shape(base.config)
    yield from _of_attention(base.config, base.parts.header.value)
    if EMBEDDING not in base.parts.tensors:
        yield f"it lacks {EMBEDDING}"
    yield from _of_tensors(base)
    yield from _of_vocabulary(base.parts.header, base.rows)


def _of_shape(config: BaseConfig) -> Iterator[str]:
    counts = {
        "width": (config.hidden_size, MOST_WIDTH),
        "feed-forward width": (config.intermediate_size, MOST_WIDTH),
        "heads": (config.heads, MOST_WIDTH),
        "key-value heads": (config.kv_heads, MOST_WIDTH),
        "width of a head": (config.head_size, MOST_WIDTH),
        "context": (config.context_tokens, MOST_CONTEXT),
    }
    for name, (count, most) in counts.items():
        if not 1 <= count <= most:
            yield f"its {name}: {count:,}, which is not from 1 to {most:,}"
    if not (math.isfinite(config.rms_epsilon) and 0 < config.rms_epsilon < 1):
        yield f"its epsilon is {config.rms_epsilon}, which is not between 0 and 1"
    if not (math.isfinite(config.rope_theta) and config.rope_theta > 0):
        yield f"the base of its rotary positions is {config.rope_theta}"


def _of_attention(config: BaseConfig, value: Any) -> Iterator[str]:
    """What llama.cpp asserts of heads (llama-model.cpp, build_qwen2)."""
    if config.heads % config.kv_heads:
        yield f"{config.heads} heads cannot share {config.kv_heads} key-value heads"
    if config.head_size % 2:
        yield f"a head is {config.head_size} wide, which rotary positions cannot halve"
    for key in ("attention.value_length", "rope.dimension_count"):
        found = value(f"{config.architecture}.{key}")
        if found not in (None, config.head_size):
            yield f"{key} is {found!r}, and a head is {config.head_size} wide"


def _of_tensors(base: OpenBase) -> Iterator[str]:
    """Each tensor of such a Qwen is there, in its shape."""
    for name in base.names():
        known = gguf_name(base.architecture, base.config.layers, name)
        if known in base.parts.tensors or not name.endswith(".bias"):  # some have none
            base.packed(name)
    yield from ()


def _of_vocabulary(file: MappedFile, rows: int) -> Iterator[str]:
    tokens, merges = (_texts(file, f"tokenizer.ggml.{name}") for name in ("tokens", "merges"))
    if len(tokens) != rows:
        yield f"it has {len(tokens):,} tokens, and an embedding of {rows:,}"
    if len(set(tokens)) != len(tokens):
        yield f"the token {Counter(tokens).most_common(1)[0][0]!r} stands in it twice"
    if not all(merges):
        yield "one of its merges is empty"
    for name, kinds in (("token_type", INTEGERS), ("scores", FLOAT32)):
        field = file.fields.get(f"tokenizer.ggml.{name}")
        if field is not None and (field.kind != header.ARRAY or not _is_for_each(file, field, kinds, len(tokens))):
            yield f"its {name} are not one number for each of {len(tokens):,} tokens"


def _texts(file: MappedFile, key: str) -> tuple[str, ...]:
    found = file.value(key)
    if not isinstance(found, tuple) or not all(isinstance(text, str) for text in found):
        raise BadBase(f"{key} are no texts")
    return tuple(map(str, found))


def _is_for_each(file: MappedFile, field: header.Field, kinds: tuple[int, ...], count: int) -> bool:
    """llama.cpp reads such an array by its length and by the type that it should have."""
    kind, length = file.items(field)
    return kind in kinds and length == count
