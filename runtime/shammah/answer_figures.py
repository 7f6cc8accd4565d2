"""What the figures of an answer say of it: do its sums hold, does it use what was asked, does its end follow.

Traits of worked problems; near a constant for an answer without figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shammah import sums
from shammah.sums import Sum, is_close

# Figures that need no source: units of time, dozens, percent.
COMMON = frozenset((1.0, 2.0, 7.0, 12.0, 24.0, 60.0, 100.0))


@dataclass(frozen=True, slots=True)
class Worked:
    """Figures of a question and of an answer to it, with the answer's sums."""

    asked: Sequence[float]
    said: Sequence[float]
    sums: Sequence[Sum]

    @property
    def final(self) -> float:
        """The last figure: the result, where there is one."""
        return self.said[-1] if self.said else 0.0


def of(question: str, answer: str) -> tuple[float, ...]:
    """25 features, in the order of `features.ANSWER_FEATURES` from `sums` on."""
    bare = sums.without_calculator(answer)
    worked = Worked(sums.figures(question), sums.figures(bare), tuple(sums.find(bare)))
    body = sums.figures(bare.partition("####")[0].partition("\nA:")[0])
    return *_of_sums(worked), *_of_final(worked, body), *_of_use(worked)


def same_result(one: str, other: str) -> bool:
    """Whether two answers end in the same figure; one without figures ends in none."""
    first, second = (sums.figures(sums.without_calculator(answer)) for answer in (one, other))
    return bool(first) and bool(second) and is_close(first[-1], second[-1])


def _of_sums(worked: Worked) -> tuple[float, ...]:
    found, results = worked.sums, [one.result for one in worked.sums]
    holding = sum(one.holds for one in found)
    failing = len(found) - holding
    return (
        float(np.log1p(len(found)) - 1),
        min(6, failing) / 2,
        failing > 0,
        holding / (len(found) + 1),
        len(found) / max(1, len(worked.asked)) * 2 - 1,
        len(found) / 4 - 1,
        _chained(found),
        len(results) - len(set(results)),
    )


def _chained(found: Sequence[Sum]) -> float:
    """The share of results, the last aside, that a sum goes on with."""
    taken = {figure for one in found for figure in one.figures}
    results = [one.result for one in found[:-1]]
    return sum(result in taken for result in results) / len(results) if results else 0.0


def _of_final(worked: Worked, body: Sequence[float]) -> tuple[float, ...]:
    final, results = worked.final, [one.result for one in worked.sums]
    return (
        bool(results) and is_close(results[-1], final),
        any(is_close(result, final) for result in results),
        bool(body) and is_close(body[-1], final),
        float(np.log1p(final) - np.log1p(max(worked.asked, default=0.0))) / 2,
        final == round(final),
        final in worked.asked,
        float(np.log1p(final)) / 3 - 1,
        final == 0,
    )


def _of_use(worked: Worked) -> tuple[float, ...]:
    asked, said = set(worked.asked), set(worked.said)
    used = {figure for one in worked.sums for figure in one.figures}
    ungrounded = len(said - asked - COMMON)
    largest = np.log1p(max(worked.said, default=0.0)) - np.log1p(max(worked.asked, default=0.0))
    return (
        len(asked & said) / max(1, len(asked)) * 2 - 1,
        len(asked & used) / max(1, len(asked)),
        len(asked - said) / 2,
        len(asked) / 5 - 1,
        ungrounded / 5,
        ungrounded / max(1, len(worked.said)) * 2 - 1,
        sum(figure != round(figure) for figure in worked.said) / 3,
        sum(_has_long_decimals(figure) for figure in worked.said) / 2,
        float(largest) / 2,
    )


def _has_long_decimals(figure: float) -> bool:
    return round(figure, 2) != figure
