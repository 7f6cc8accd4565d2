"""How far adapters move a base's weights, from their small matrices alone."""

import math
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from shammah_convert.lora import Adapter, Matrix


def weight_norm(adapters: Iterable[tuple[Adapter, float]]) -> float:
    """The Frobenius norm, over all modules, of what adapters with their scales add to the weights; 0 of none.

    |B A|^2 = sum((B^T B) * (A A^T)): matrices of (rank, rank), never one of (out, in). Of several adapters the
    ranks are laid side by side, so that what cancels out cancels out.
    """
    halves: dict[str, list[tuple[Matrix, Matrix]]] = defaultdict(list)
    for adapter, scale in adapters:
        for module, (lora_a, lora_b) in adapter.pairs.items():
            halves[module].append((lora_a, adapter.alpha * scale / len(lora_a) * lora_b))
    return math.sqrt(sum(_squared(pairs) for pairs in halves.values()))


def _squared(pairs: list[tuple[Matrix, Matrix]]) -> float:
    lora_a = np.concatenate([lora_a for lora_a, _ in pairs]).astype(np.float64)  # (ranks, in)
    lora_b = np.concatenate([lora_b for _, lora_b in pairs], axis=1).astype(np.float64)  # (out, ranks)
    return max(0.0, float(np.sum((lora_b.T @ lora_b) * (lora_a @ lora_a.T))))
