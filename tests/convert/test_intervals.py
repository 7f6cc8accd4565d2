"""An interval holds the truth about as often as it says, and says nothing where nothing is known."""

import numpy as np
import pytest

from shammah_convert.intervals import Interval, of_ratio, of_share


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        # scipy.stats.binomtest(count, of).proportion_ci(method="wilson"), computed once.
        (0, 10, 0.0, 0.2775327998628892),
        (10, 10, 0.7224672001371107, 1.0),
        (5, 10, 0.23659309051256394, 0.763406909487436),
        (81, 263, 0.2552885198782742, 0.3662095769828000),
    ],
)
def test_a_share_lies_where_wilson_says(count: int, of: int, low: float, high: float) -> None:
    found = of_share(count, of)
    assert [found.low, found.high] == pytest.approx([low, high], abs=1e-9)


def test_of_nothing_a_share_may_be_anything() -> None:
    assert of_share(0, 0) == Interval(0.0, 1.0)


def test_a_mean_of_equal_rows_has_the_interval_of_a_mean() -> None:
    """By hand: the mean of 1, 2, 3, 6 is 3, their sample variance 14/3, so 1.96 * sqrt(14/3/4) either way."""
    found = of_ratio([1.0, 2.0, 3.0, 6.0], [1.0] * 4)
    assert found is not None
    half = 1.959963984540054 * (14 / 12) ** 0.5
    assert [found.low, found.high] == pytest.approx([3 - half, 3 + half])


def test_rows_that_agree_leave_no_doubt() -> None:
    assert of_ratio([2.0, 4.0, 10.0], [1, 2, 5]) == Interval(2.0, 2.0)


@pytest.mark.parametrize(("totals", "sizes"), [([], []), ([3.0], [2]), ([0.0, 0.0], [0, 0])])
def test_too_few_rows_say_nothing(totals: list[float], sizes: list[float]) -> None:
    assert of_ratio(totals, sizes) is None


def test_rows_of_unequal_length_hold_the_truth_nineteen_times_of_twenty() -> None:
    chance, held = np.random.default_rng(4), 0
    for _ in range(1000):
        sizes = chance.integers(1, 60, 48)
        totals = sizes * chance.gamma(2.0, 0.5, 48)  # a mean of 1 nat a token, skewed
        found = of_ratio(totals.tolist(), sizes.tolist())
        assert found is not None
        held += found.low <= 1.0 <= found.high
    assert 900 <= held <= 970, "0.95, less what a skewed sample of 48 costs"
