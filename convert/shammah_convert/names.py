"""What a tensor is called: Hugging Face's name and GGUF's name, for Qwen2 and Qwen3."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import gguf

SUFFIXES = (".weight", ".bias")

_ARCHITECTURES = {"qwen2": gguf.MODEL_ARCH.QWEN2, "qwen3": gguf.MODEL_ARCH.QWEN3}
_COMMON = (
    "input_layernorm.weight",
    "post_attention_layernorm.weight",
    "self_attn.q_proj.weight",
    "self_attn.k_proj.weight",
    "self_attn.v_proj.weight",
    "self_attn.o_proj.weight",
    "mlp.gate_proj.weight",
    "mlp.up_proj.weight",
    "mlp.down_proj.weight",
)
_OF_A_LAYER = {
    "qwen2": (*_COMMON, "self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias"),
    "qwen3": (*_COMMON, "self_attn.q_norm.weight", "self_attn.k_norm.weight"),
}


class UnknownName(ValueError):
    """A tensor or an architecture is none that we know; the text names it."""


def gguf_name(architecture: str, layers: int, hf_name: str) -> str:
    """Translate a Hugging Face tensor name, such as `model.layers.0.mlp.up_proj.weight`.

    Raises:
        UnknownName: The architecture or the tensor is unknown.
    """
    name = _tensor_map(architecture, layers).get_name(hf_name, try_suffixes=SUFFIXES)
    if name is None:
        raise UnknownName(f"no GGUF name for {hf_name!r} in a {architecture} of {layers} layers")
    return str(name)


def hf_name(architecture: str, layers: int, gguf_name: str) -> str:
    """Translate a GGUF tensor name, such as `blk.0.ffn_up.weight`.

    Raises:
        UnknownName: The architecture or the tensor is unknown.
    """
    try:
        return _inverse(architecture, layers)[gguf_name]
    except KeyError as error:
        raise UnknownName(f"no HF name for {gguf_name!r} in a {architecture} of {layers} layers") from error


def hf_names(architecture: str, layers: int, is_tied: bool = False) -> Iterator[str]:
    """All tensors that a model has, by their Hugging Face names.

    Args:
        architecture: `qwen2` or `qwen3`.
        layers: How many transformer blocks.
        is_tied: Whether the output shares the embedding's weights.

    Raises:
        UnknownName: The architecture is unknown.
    """
    _check(architecture)
    yield "model.embed_tokens.weight"
    for layer in range(layers):
        yield from (f"model.layers.{layer}.{part}" for part in _OF_A_LAYER[architecture])
    yield "model.norm.weight"
    if not is_tied:
        yield "lm_head.weight"


@cache
def _inverse(architecture: str, layers: int) -> dict[str, str]:
    return {gguf_name(architecture, layers, name): name for name in hf_names(architecture, layers)}


@cache
def _tensor_map(architecture: str, layers: int) -> Any:
    _check(architecture)
    return gguf.get_tensor_name_map(_ARCHITECTURES[architecture], layers)


def _check(architecture: str) -> None:
    if architecture not in _ARCHITECTURES:
        raise UnknownName(f"architecture {architecture!r} is not one of {', '.join(_ARCHITECTURES)}")
