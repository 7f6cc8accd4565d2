"""From how test questions were answered to what would help. Pure."""

from collections.abc import Iterable, Sequence

from shammah.teaching.results import Analysis, CategoryResult, Recommendation
from shammah_convert import intervals

GOOD = 0.8
"""A category that does as well as this is not weak."""
MENDED = 0.5
"""Of the wrong answers in weak categories, the share that more pairs are reckoned to mend."""
LEAST_PAIRS, MOST_PAIRS, PAIRS_A_MISTAKE = 6, 24, 4
FIRST_PAIRS = 12
EASY_BELOW, MEDIUM_BELOW = 0.3, 0.6


def analysis(outcomes: Iterable[tuple[str, bool]], asked_about: Sequence[str]) -> Analysis:
    """What the outcomes say, by category.

    Args:
        outcomes: Of each test question its category, and whether the answer was close to the reference.
        asked_about: Categories that matter to the user; of those without a question pairs are recommended, too.
    """
    outcomes = list(outcomes)
    found = sorted((_result(name, outcomes) for name in {name for name, _ in outcomes}), key=_weakest_first)
    weak = tuple(one for one in found if one.success < GOOD)
    right, count = sum(is_right for _, is_right in outcomes), len(outcomes)
    unknown = [name for name in asked_about if name not in {one.category for one in found}]
    return Analysis(
        tests=count,
        right=right,
        success=right / count if count else None,
        categories=tuple(found),
        weak=tuple(one.category for one in weak),
        recommendations=(*map(_for_weak, weak), *map(_for_unknown, unknown)),
        estimated_improvement=MENDED * sum(one.tests - one.right for one in weak) / count if count else None,
    )


def _result(category: str, outcomes: Sequence[tuple[str, bool]]) -> CategoryResult:
    answers = [is_right for name, is_right in outcomes if name == category]
    bounds = intervals.of_share(sum(answers), len(answers))
    share = sum(answers) / len(answers)
    return CategoryResult(category, len(answers), sum(answers), share, bounds.low, bounds.high)


def _weakest_first(one: CategoryResult) -> tuple[float, str]:
    return one.success, one.category


def _for_weak(one: CategoryResult) -> Recommendation:
    count = min(MOST_PAIRS, max(LEAST_PAIRS, PAIRS_A_MISTAKE * (one.tests - one.right)))
    difficulty = "easy" if one.success < EASY_BELOW else "medium" if one.success < MEDIUM_BELOW else "hard"
    return Recommendation(one.category, count, difficulty, f"{one.right} of {one.tests} test questions are right")


def _for_unknown(category: str) -> Recommendation:
    return Recommendation(category, FIRST_PAIRS, "easy", "there is no test question about it yet")
