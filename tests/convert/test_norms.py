"""How far adapters move the weights is told as if the whole matrices were there."""

import numpy as np
import pytest
from numpy.typing import NDArray

from shammah_convert.lora import Adapter, Card, Matrix
from shammah_convert.norms import weight_norm


def adapter(seed: int, ranks: dict[str, int], alpha: float = 8.0) -> Adapter:
    random = np.random.default_rng(seed)
    pairs = {
        module: (
            random.normal(size=(rank, 12)).astype(np.float32),
            random.normal(size=(9, rank)).astype(np.float32),
        )
        for module, rank in ranks.items()
    }
    return Adapter(Card("a", "b", "c"), "qwen2", alpha, pairs)


def delta(pair: tuple[Matrix, Matrix], alpha: float, scale: float) -> NDArray[np.float64]:
    lora_a, lora_b = (matrix.astype(np.float64) for matrix in pair)
    whole: NDArray[np.float64] = alpha * scale / len(lora_a) * (lora_b @ lora_a)
    return whole


def test_one_adapter_moves_by_the_norm_of_its_whole_matrices() -> None:
    one = adapter(1, {"up": 2, "down": 4})
    squares = [np.linalg.norm(delta(pair, 8.0, 0.5)) ** 2 for pair in one.pairs.values()]
    assert weight_norm([(one, 0.5)]) == pytest.approx(sum(squares) ** 0.5, rel=1e-6)


def test_several_adapters_move_by_the_norm_of_their_sum() -> None:
    one, other = adapter(1, {"up": 2}), adapter(2, {"up": 3, "down": 4}, alpha=6.0)
    up = delta(one.pairs["up"], 8.0, 1.0) + delta(other.pairs["up"], 6.0, -0.5)
    down = delta(other.pairs["down"], 6.0, -0.5)
    expected = (np.linalg.norm(up) ** 2 + np.linalg.norm(down) ** 2) ** 0.5
    assert weight_norm([(one, 1.0), (other, -0.5)]) == pytest.approx(expected, rel=1e-6)


def test_what_cancels_out_moves_nothing() -> None:
    one = adapter(1, {"up": 2})
    assert weight_norm([(one, 1.0), (one, -1.0)]) == pytest.approx(0.0, abs=1e-6)
    assert weight_norm([]) == 0.0
