"""A training that went wrong is told from one that merely learns badly."""

import math

import pytest

from shammah_trainer.health import EXPLODED_STEPS, fault

VOCABULARY = 151_936
GUESSING = math.log(VOCABULARY)
"""11.9 nats: what a model that knows nothing says."""


@pytest.mark.parametrize(
    ("losses", "norm", "words"),
    [
        ([2.0, math.nan], 1.0, "the loss is nan"),
        ([2.0, math.inf], 1.0, "the loss is inf"),
        ([2.0, 1.0], math.nan, "the gradient's norm is nan"),
        ([2.0, 1.0], math.inf, "the gradient's norm is inf"),
        ([2.0, *[12.0] * EXPLODED_STEPS], 1.0, "exploded to 12.0 nats a token, from 2.0"),
        ([20.0, *[41.0] * EXPLODED_STEPS], 1.0, "exploded to 41.0 nats a token, from 20.0"),
    ],
)
def test_what_is_wrong_is_named(losses: list[float], norm: float, words: str) -> None:
    assert words in fault(losses, norm, VOCABULARY)


@pytest.mark.parametrize(
    "losses",
    [
        [2.0],
        [2.0, *[60.0] * (EXPLODED_STEPS - 1)],
        [2.0, *[60.0] * (EXPLODED_STEPS - 1), 5.0, *[60.0] * (EXPLODED_STEPS - 1)],
        [0.01, *[0.99 * GUESSING] * 20],
        [20.0, *[39.0] * 20],
        [60.0] * 20,
    ],
    ids=["one", "too few", "interrupted", "no worse than guessing", "not twice as bad", "as the bare base began"],
)
def test_a_training_that_is_bad_and_no_worse_goes_on(losses: list[float]) -> None:
    for count in range(1, len(losses) + 1):
        assert fault(losses[:count], 1e6, VOCABULARY) == ""
