"""An adapter worked into its base: one GGUF, quantized as the base is, that needs no adapter any more.

Each changed matrix is unpacked, changed and packed again, some rows at a time, so that memory stays small.
"""

import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType
from numpy.typing import NDArray

from shammah_convert.ggml import check_packs, pack, unpack
from shammah_convert.lora import Adapter, BadValues, Matrix, check
from shammah_convert.mapped import Tensor
from shammah_convert.names import gguf_name
from shammah_convert.opened import OpenBase
from shammah_convert.parts import Parts
from shammah_convert.rewrite import rewrite
from shammah_convert.shape import BadBase, BaseConfig

# 16 MB of float32 a thread, and as much for the change.
CHUNK_VALUES = 2**22

Factors = Mapping[str, tuple[Matrix, Matrix]]
"""By GGUF's name of a matrix: lora_a (rank, in), and lora_b (out, rank) with all scales worked in."""


@dataclass(frozen=True, slots=True)
class Rounding:
    """How far packing moved the weights, beside how far the adapter did: sums of squares over what it changes.

    Attributes:
        change: Of what the adapter adds.
        error: Of what packing in the base's own types adds to that.
    """

    change: float = 0.0
    error: float = 0.0

    def __add__(self, other: "Rounding") -> "Rounding":
        return Rounding(self.change + other.change, self.error + other.error)

    @property
    def share(self) -> float:
        """The error beside the change, as a ratio of their root mean squares; infinite where nothing changes."""
        return math.sqrt(self.error / self.change) if self.change else math.inf


def write_merged(path: Path, base: OpenBase, adapter: Adapter, scale: float, name: str, threads: int = 1) -> Rounding:
    """Write the base with W + scale * alpha / rank * lora_b @ lora_a for each matrix W of the adapter.

    Args:
        path: Where to; the file appears when it is whole.
        base: The model.
        adapter: Made for this base.
        scale: Of the adapter; 1 is what it was trained for.
        name: What the merged model calls itself.
        threads: To pack with.

    Raises:
        BadAdapter: It does not fit the base.
        BadBase: A matrix is of a type that cannot be packed again.
        OSError: The file cannot be written.
    """
    check(adapter, base.config)
    factors = _factors(adapter, scale, base.config)
    _check_types(base.parts, factors)
    with ThreadPoolExecutor(threads) as pool:
        merger = _Merger(factors, pool, roundings=[])
        rewrite(base.parts, path, name, merger.change)
    return sum(merger.roundings, start=Rounding())


@dataclass(frozen=True, slots=True)
class _Merger:
    """Changes tensor after tensor, and keeps account of the rounding."""

    factors: Factors
    pool: ThreadPoolExecutor
    roundings: list[Rounding]

    def change(self, name: str, tensor: Tensor) -> NDArray[np.uint8] | None:
        """The packed rows of a changed matrix, (rows, bytes a row); None for another tensor."""
        if name not in self.factors:
            return None
        lora_a, lora_b = self.factors[name]
        blocks = tensor.data

        def merge(rows: slice) -> tuple[NDArray[np.uint8], Rounding]:
            return _merge(blocks[rows], tensor.kind, lora_b[rows] @ lora_a)

        chunks = list(self.pool.map(merge, _chunks(len(lora_b), columns=lora_a.shape[1])))
        self.roundings.extend(rounding for _, rounding in chunks)
        return np.concatenate([packed for packed, _ in chunks])


def _factors(adapter: Adapter, scale: float, config: BaseConfig) -> Factors:
    return {
        gguf_name(config.architecture, config.layers, f"{module}.weight"): (
            lora_a,
            lora_b * np.float32(scale * adapter.alpha / len(lora_a)),
        )
        for module, (lora_a, lora_b) in adapter.pairs.items()
    }


def _check_types(parts: Parts, factors: Factors) -> None:
    """Before a byte is written: a type that cannot be packed would end the process."""
    for name, (lora_a, lora_b) in factors.items():
        tensor = parts.tensors.get(name)
        if tensor is None or tensor.shape != (len(lora_b), lora_a.shape[1]):
            raise BadBase(f"the file lacks {name}, or holds it in another shape than its configuration says")
        check_packs(tensor.kind)


def _chunks(rows: int, columns: int) -> Iterator[slice]:
    step = max(1, CHUNK_VALUES // columns)
    yield from (slice(first, first + step) for first in range(0, rows, step))


def _merge(blocks: NDArray[np.uint8], kind: GGMLQuantizationType, change: Matrix) -> tuple[NDArray[np.uint8], Rounding]:
    values = unpack(blocks, kind)
    values += change
    packed = pack(values, kind)
    values -= unpack(packed, kind)
    rounding = Rounding(float(np.vdot(change, change)), float(np.vdot(values, values)))
    if not math.isfinite(rounding.error):
        raise BadValues(f"merged weights are no numbers that {kind.name} holds")
    return packed, rounding
