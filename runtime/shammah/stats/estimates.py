"""How many local answers are bad, and whether the heads knew: from judged answers, weighted by how they were drawn."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from shammah.journal.counted import Label
from shammah_convert.intervals import Interval, of_share

BINS = 10


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of some local answers were bad: worse than the teacher's, or rated so.

    Attributes:
        judged: Answers that somebody or something judged.
        bad: Of them, those that were bad.
        rate: Share of bad ones among all such answers, judged or not; None before the first.
        interval: Where the share lies in 95 of 100 such samples.
        certain: Of the judged, those that a person or a judge judged.
    """

    judged: int
    bad: int
    rate: float | None
    interval: Interval | None
    certain: int

    @property
    def is_by_similarity(self) -> bool:
        """Whether nothing but similarity to the teacher's answers stands behind it."""
        return self.judged > 0 and not self.certain


@dataclass(frozen=True, slots=True)
class Bin:
    """Judged answers of which a head had said nearly the same.

    Attributes:
        low: The least probability in the bin; the greatest is a tenth more.
        said: Mean of the probabilities that the head gave.
        good: Share of answers that were good.
        interval: Where that share lies in 95 of 100 such samples.
    """

    low: float
    judged: int
    said: float
    good: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Calibration:
    """Whether what a head called probable came to pass.

    Attributes:
        error: Expected calibration error: the mean distance of `said` and `good` over all answers; None without any.
        bins: Those in which something was judged.
    """

    judged: int
    error: float | None
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a head had said of an answer, and how that turned out."""

    said: float
    is_good: bool
    weight: float


def rate(labels: Iterable[Label]) -> Rate:
    """How many local answers are bad, by those that were judged."""
    found = list(labels)
    bad = sum(label.is_bad for label in found)
    certain = sum(label.is_certain for label in found)
    if not found:
        return Rate(0, 0, None, None, 0)
    share, interval = _share([(label.is_bad, label.weight) for label in found])
    return Rate(len(found), bad, share, interval, certain)


def calibration(labels: Iterable[Label], said: Callable[[Label], float | None]) -> Calibration:
    """What a head had said of judged answers, beside what turned out; `said` gives the head's probability."""
    found = [
        _Outcome(probability, not label.is_bad, label.weight)
        for label in labels
        if (probability := said(label)) is not None
    ]
    if not found:
        return Calibration(0, None, ())
    binned = [[one for one in found if _place(one.said) == place] for place in range(BINS)]
    bins = [(_bin(place, ones), sum(one.weight for one in ones)) for place, ones in enumerate(binned) if ones]
    total = sum(weight for _, weight in bins)
    error = sum(weight / total * abs(one.said - one.good) for one, weight in bins)
    return Calibration(len(found), error, tuple(one for one, _ in bins))


def _place(probability: float) -> int:
    return min(BINS - 1, int(probability * BINS))


def _bin(place: int, ones: Sequence[_Outcome]) -> Bin:
    total = sum(one.weight for one in ones)
    good, interval = _share([(one.is_good, one.weight) for one in ones])
    return Bin(place / BINS, len(ones), sum(one.weight * one.said for one in ones) / total, good, interval)


def _share(drawn: Sequence[tuple[bool, float]]) -> tuple[float, Interval]:
    """The share of those that are so among all that were drawn from, by weight, and where it lies.

    Wilson's interval for Kish's effective number: what a few heavy answers tell is no more than what a few tell.
    """
    total = sum(weight for _, weight in drawn)
    share = sum(weight for is_so, weight in drawn if is_so) / total
    effective = total**2 / sum(weight**2 for _, weight in drawn)
    return share, of_share(share * effective, effective)
