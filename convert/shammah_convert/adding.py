"""Several adapters as one: the sum of low-rank products is a low-rank product, of the ranks' sum."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from shammah_convert.lora import Adapter, Matrix


def added(adapters: Sequence[tuple[Adapter, float]]) -> Adapter:
    """One adapter that does what several do together, each at its scale.

    A module's lora_a rows and lora_b columns stand side by side, each lora_b times its scale and alpha / rank. All
    modules have the largest rank, filled up with zeros, and alpha is that rank: some engines read one scale for all.
    """
    assert adapters, "nothing is no adapter"
    modules = dict.fromkeys(module for adapter, _ in adapters for module in adapter.pairs)
    pairs = {module: _sum(module, adapters) for module in modules}
    rank = max(len(lora_a) for lora_a, _ in pairs.values())
    filled = {module: (_fill(lora_a, rank, 0), _fill(lora_b, rank, 1)) for module, (lora_a, lora_b) in pairs.items()}
    return replace(adapters[0][0], pairs=filled, alpha=float(rank))


def _sum(module: str, adapters: Sequence[tuple[Adapter, float]]) -> tuple[Matrix, Matrix]:
    parts = [(*adapter.pairs[module], adapter.alpha, scale) for adapter, scale in adapters if module in adapter.pairs]
    lora_a = np.concatenate([a for a, _, _, _ in parts])  # (ranks, in)
    lora_b = np.concatenate([b * np.float32(scale * alpha / len(a)) for a, b, alpha, scale in parts], axis=1)
    return lora_a, lora_b  # (out, ranks)


def _fill(matrix: Matrix, rank: int, axis: int) -> Matrix:
    missing = [(0, 0), (0, 0)]
    missing[axis] = (0, rank - matrix.shape[axis])
    return np.pad(matrix, missing)
