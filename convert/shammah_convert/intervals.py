"""95% confidence intervals of what a few rows tell."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Z = 1.959963984540054
"""The normal distribution's quantile at 97.5%."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a value lies in 95 of 100 such samples."""

    low: float
    high: float


def of_share(count: float, of: float) -> Interval:
    """Of a share, by Wilson (1927): sane also at none, at all, and of few; of nothing, anything.

    Weighted rows count as many as they are worth, which need be no whole number.
    """
    if not of:
        return Interval(0.0, 1.0)
    share, shrink = count / of, 1 + Z**2 / of
    middle = (share + Z**2 / (2 * of)) / shrink
    half = Z / shrink * math.sqrt(share * (1 - share) / of + Z**2 / (4 * of**2))
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def of_ratio(totals: Sequence[float], sizes: Sequence[float]) -> Interval | None:
    """Of sum(totals) / sum(sizes) over rows, such as nats by tokens; None where fewer than two rows say nothing of it.

    Rows are drawn by chance, not tokens: by the linearised ratio estimator (Cochran, Sampling Techniques, 6.4).
    """
    count = len(totals)
    if count < 2 or not sum(sizes):
        return None
    values, weights = np.asarray(totals, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    ratio = float(values.sum() / weights.sum())
    spread = float(np.square(values - ratio * weights).sum()) * count / (count - 1)
    half = Z * math.sqrt(spread) / float(weights.sum())
    return Interval(ratio - half, ratio + half)
