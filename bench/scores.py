"""What a router and a validator are measured by, as RouteLLM defines it, and paired intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 10
# Student's t for a two-sided 95% interval, by degrees of freedom; 1.96 beyond.
_T95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 9: 2.262, 14: 2.145, 19: 2.093}


@dataclass(frozen=True, slots=True)
class Paired:
    """A mean difference between two sides on the same draws, with half its 95% interval."""

    gain: float
    half_width: float

    @property
    def is_above_zero(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.gain - self.half_width > 0


def paired(ours: Sequence[float], theirs: Sequence[float]) -> Paired:
    """Ours minus theirs, draw by draw; draws of one file overlap, so the interval speaks of this file alone."""
    gaps = np.array(ours) - np.array(theirs)
    if len(gaps) < 2:
        return Paired(float(gaps.mean()), float("inf"))
    freedom = len(gaps) - 1
    t = next((value for degrees, value in sorted(_T95.items(), reverse=True) if degrees <= freedom), 12.706)
    return Paired(float(gaps.mean()), float(t * gaps.std(ddof=1) / np.sqrt(len(gaps))))


def auroc(is_good: ArrayLike, scores: ArrayLike) -> float:
    """How often a good one stands above a bad one, ties counted half."""
    good, values = np.asarray(is_good, dtype=bool), np.asarray(scores, dtype=float)
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    goods, bads = int(good.sum()), int((~good).sum())
    return float((ranks[good].sum() - goods * (goods + 1) / 2) / (goods * bads)) if goods and bads else float("nan")


def curve(need: ArrayLike, local: ArrayLike, teacher: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of teacher calls against accuracy, at 11 equal-count thresholds of the need for the teacher."""
    scores = np.asarray(need, dtype=float)
    order = np.lexsort((np.random.default_rng(0).random(len(scores)), -scores))
    right_local, right_teacher = np.asarray(local, dtype=float)[order], np.asarray(teacher, dtype=float)[order]
    count = len(order)
    by_teacher = np.concatenate([[0], np.cumsum(right_teacher)])
    by_local = np.concatenate([[0], np.cumsum(right_local)])
    cuts = np.unique(np.round(np.linspace(0, count, BINS + 1)).astype(int))
    return cuts / count, (by_teacher[cuts] + by_local[-1] - by_local[cuts]) / count


def apgr(need: ArrayLike, local: ArrayLike, teacher: ArrayLike) -> float:
    """The average share of the gap between both sides that is recovered (random 0.5)."""
    calls, accuracy = curve(need, local, teacher)
    return float(np.trapezoid(_recovered(accuracy), calls))


def cpt50(need: ArrayLike, local: ArrayLike, teacher: ArrayLike) -> float:
    """The percentage of teacher calls at which half of the gap is first recovered."""
    calls, accuracy = curve(need, local, teacher)
    recovered = _recovered(accuracy)
    after = int(np.argmax(recovered >= 0.5))
    if after == 0:
        return 0.0
    rise = recovered[after] - recovered[after - 1]
    return float(100 * (calls[after - 1] + (0.5 - recovered[after - 1]) / rise * (calls[after] - calls[after - 1])))


def _recovered(accuracy: NDArray[np.float64]) -> NDArray[np.float64]:
    gap = float(accuracy[-1] - accuracy[0])
    return np.array((accuracy - accuracy[0]) / gap, dtype=np.float64)


def calibration_error(is_good: ArrayLike, scores: ArrayLike) -> float:
    """Expected gap between probability and frequency, over ten bins of equal width."""
    good, p = np.asarray(is_good, dtype=float), np.asarray(scores, dtype=float)
    places = np.minimum((p * BINS).astype(int), BINS - 1)
    masks = [places == place for place in range(BINS)]
    return float(sum(mask.mean() * abs(good[mask].mean() - p[mask].mean()) for mask in masks if mask.any()))
