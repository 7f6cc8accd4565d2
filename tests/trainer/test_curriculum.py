"""Easy to hard."""

import pytest

from shammah_trainer import curriculum

WEIGHTS, DIFFICULTIES = [10.0, 3.0, 1.0, 1.0, 2.0, 5.0], [3.0, 0.1, 2.0, 0.5, 9.0, 1.0]


@pytest.mark.parametrize(
    ("epoch", "drawn"),
    [
        (1, [0.0, 3.0, 0.0, 1.0, 0.0, 0.0]),
        (2, [0.0, 3.0, 1.0, 1.0, 0.0, 5.0]),
        (3, WEIGHTS),
        (40, WEIGHTS),
    ],
)
def test_an_epoch_draws_from_the_easiest_part(epoch: int, drawn: list[float]) -> None:
    assert curriculum.weights(WEIGHTS, DIFFICULTIES, epoch) == drawn


@pytest.mark.parametrize("count", [1, 2])
def test_there_is_always_something_to_draw(count: int) -> None:
    assert sum(curriculum.weights([1.0] * count, [1.0] * count, epoch=1)) > 0
