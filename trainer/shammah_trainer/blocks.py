"""ggml's quantized blocks in torch operations, for devices that libggml-base does not reach.

Layouts are those of ggml-common.h, arithmetic that of `dequantize_row_*` in ggml-quants.c. `d` and `m` are a block's
scale and minimum, `q` its whole numbers.
"""

from collections.abc import Callable

import torch
from gguf import GGMLQuantizationType as Type
from torch import Tensor

from shammah_convert import ggml

# `kvalues_iq4nl` in ggml-common.h: what the sixteen numbers of IQ4_NL and IQ4_XS stand for.
_IQ4 = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)


def unpack(packed: Tensor, kind: Type) -> Tensor:
    """Unpack whole blocks where they are: uint8 (rows, bytes a row) -> float32 (rows, columns).

    Raises:
        KeyError: There is no such type here.
    """
    if kind in _PLAIN:
        return packed.view(_PLAIN[kind]).float()
    _, size = ggml.block(kind)
    return _UNPACK[kind](packed.reshape(-1, size)).reshape(len(packed), -1)


def knows(kind: Type) -> bool:
    """Whether blocks of a type can be unpacked here."""
    return kind in _PLAIN or kind in _UNPACK


def _half(blocks: Tensor, place: int) -> Tensor:
    """The float16 at a place of each block: (blocks, 1), float32."""
    return blocks[:, place : place + 2].contiguous().view(torch.float16).float()


def _bits(packed: Tensor, width: int, parts: int) -> Tensor:
    """Numbers of so many bits, those of the lowest bits first: (..., bytes) -> (..., parts, bytes)."""
    shifts = torch.arange(0, parts * width, width, dtype=torch.uint8, device=packed.device)
    return (packed.unsqueeze(-2) >> shifts[:, None]) & ((1 << width) - 1)


def _nibbles(packed: Tensor) -> Tensor:
    """(blocks, bytes) -> (blocks, 2 * bytes): all low halves, then all high ones."""
    return _bits(packed, 4, 2).flatten(1)


def _fifth_bits(packed: Tensor) -> Tensor:
    """(blocks, 4) -> (blocks, 32): one bit a value, where it counts."""
    shifts = torch.arange(8, dtype=torch.uint8, device=packed.device)
    return (((packed.unsqueeze(-1) >> shifts) & 1) << 4).flatten(1)


def _q4_0(blocks: Tensor) -> Tensor:
    return (_nibbles(blocks[:, 2:]).float() - 8) * _half(blocks, 0)


def _q4_1(blocks: Tensor) -> Tensor:
    return _nibbles(blocks[:, 4:]).float() * _half(blocks, 0) + _half(blocks, 2)


def _q5_0(blocks: Tensor) -> Tensor:
    return ((_nibbles(blocks[:, 6:]) | _fifth_bits(blocks[:, 2:6])).float() - 16) * _half(blocks, 0)


def _q5_1(blocks: Tensor) -> Tensor:
    q = (_nibbles(blocks[:, 8:]) | _fifth_bits(blocks[:, 4:8])).float()
    return q * _half(blocks, 0) + _half(blocks, 2)


def _q8_0(blocks: Tensor) -> Tensor:
    return blocks[:, 2:].view(torch.int8).float() * _half(blocks, 0)


def _q2_k(blocks: Tensor) -> Tensor:
    scales = blocks[:, :16, None]
    q = _bits(blocks[:, 16:80].reshape(-1, 2, 32), 2, 4).reshape(-1, 16, 16)
    d, m = _half(blocks, 80)[..., None], _half(blocks, 82)[..., None]
    return d * (scales & 15) * q - m * (scales >> 4)


def _q3_k(blocks: Tensor) -> Tensor:
    low = _bits(blocks[:, 32:96].reshape(-1, 2, 32), 2, 4).reshape(-1, 8, 32)
    is_high = _bits(blocks[:, :32], 1, 8)  # (blocks, 8, 32)
    q = low.float() - 4 * (1 - is_high.float())
    small, large = blocks[:, 96:104], blocks[:, 104:108]
    scales = _nibbles(small) | (_bits(large, 2, 4).flatten(1) << 4)
    d = _half(blocks, 108) * (scales.float() - 32)
    return d[..., None] * q.reshape(-1, 16, 16)


def _scales_and_minima(packed: Tensor) -> tuple[Tensor, Tensor]:
    """`get_scale_min_k4`: twice eight numbers of six bits in twelve bytes, each (blocks, 8, 1)."""
    first, second, third = packed[:, :4], packed[:, 4:8], packed[:, 8:12]
    scales = torch.cat([first & 63, (third & 15) | ((first >> 6) << 4)], dim=1)
    minima = torch.cat([second & 63, (third >> 4) | ((second >> 6) << 4)], dim=1)
    return scales[..., None], minima[..., None]


def _with_minima(blocks: Tensor, q: Tensor) -> Tensor:
    scales, minima = _scales_and_minima(blocks[:, 4:16])
    return _half(blocks, 0)[..., None] * scales * q - _half(blocks, 2)[..., None] * minima


def _q4_k(blocks: Tensor) -> Tensor:
    return _with_minima(blocks, _bits(blocks[:, 16:].reshape(-1, 4, 32), 4, 2).reshape(-1, 8, 32))


def _q5_k(blocks: Tensor) -> Tensor:
    low = _bits(blocks[:, 48:].reshape(-1, 4, 32), 4, 2).reshape(-1, 8, 32)
    return _with_minima(blocks, low | (_bits(blocks[:, 16:48], 1, 8) << 4))


def _q6_k(blocks: Tensor) -> Tensor:
    low = _bits(blocks[:, :128].reshape(-1, 2, 64), 4, 2).reshape(-1, 2, 128)
    high = _bits(blocks[:, 128:192].reshape(-1, 2, 32), 2, 4).reshape(-1, 2, 128)
    q = (low | (high << 4)).float() - 32
    d = _half(blocks, 208) * blocks[:, 192:208].view(torch.int8)
    return d[..., None] * q.reshape(-1, 16, 16)


def _table(q: Tensor) -> Tensor:
    return torch.tensor(_IQ4, dtype=torch.float32, device=q.device)[q.int()]


def _iq4_nl(blocks: Tensor) -> Tensor:
    return _half(blocks, 0) * _table(_nibbles(blocks[:, 2:]))


def _iq4_xs(blocks: Tensor) -> Tensor:
    low = _bits(blocks[:, 4:8], 4, 2).transpose(1, 2).flatten(1)  # a byte's low half comes right before its high one
    high = _bits(blocks[:, 2:4], 2, 4).transpose(1, 2).flatten(1)
    d = _half(blocks, 0) * ((low | (high << 4)).float() - 32)
    return d[..., None] * _table(_bits(blocks[:, 8:].reshape(-1, 8, 16), 4, 2).flatten(2))


_PLAIN = {Type.F32: torch.float32, Type.F16: torch.float16, Type.BF16: torch.bfloat16}
_UNPACK: dict[Type, Callable[[Tensor], Tensor]] = {
    Type.Q4_0: _q4_0,
    Type.Q4_1: _q4_1,
    Type.Q5_0: _q5_0,
    Type.Q5_1: _q5_1,
    Type.Q8_0: _q8_0,
    Type.Q2_K: _q2_k,
    Type.Q3_K: _q3_k,
    Type.Q4_K: _q4_k,
    Type.Q5_K: _q5_k,
    Type.Q6_K: _q6_k,
    Type.IQ4_NL: _iq4_nl,
    Type.IQ4_XS: _iq4_xs,
}
