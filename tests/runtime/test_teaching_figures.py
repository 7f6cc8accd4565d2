"""What is said of an answer, of outcomes, and of rounds, as pure functions."""

import math

import numpy as np
import pytest

from shammah.divergence import Divergence, Method
from shammah.teaching import advice, figures, rounds
from shammah.teaching.rounds import Effect, Round


@pytest.mark.parametrize(
    ("logprobs", "wanted"),
    [((), None), ((0.0, 0.0), 0.0), ((math.log(0.5), math.log(0.5)), 0.5), ((math.log(0.25), 0.0), 0.5)],
)
def test_uncertainty_is_one_minus_the_geometric_mean(logprobs: tuple[float, ...], wanted: float | None) -> None:
    assert figures.uncertainty(logprobs) == (None if wanted is None else pytest.approx(wanted))


@pytest.mark.parametrize(
    ("text", "wanted"), [("ls -la", None), ("a b c d", 1.0), ("a b c a b c", 0.75), ("x x x x x", 1 / 3)]
)
def test_coherence_falls_with_every_trigram_that_came_before(text: str, wanted: float | None) -> None:
    assert figures.coherence(text) == (None if wanted is None else pytest.approx(wanted))


def test_on_topic_is_the_cosine_and_unknown_without_an_embedder() -> None:
    here, there = np.array([1, 0], dtype=np.float32), np.array([0.6, 0.8], dtype=np.float32)
    assert figures.on_topic(here, there) == pytest.approx(0.6)
    assert figures.on_topic(here, -there) == 0.0
    assert figures.on_topic(None, None) is None


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        ((None, None, None), None),
        ((0.5, None, None), 0.5),
        ((0.0, 0.0, 1.0), 0.4),  # 0.4 * 1 + 0.3 * 0 + 0.3 * 0
        ((1.0, 0.4, None), 0.3 * 0.4 / 0.7),
        ((None, None, 0.25), 0.75),
    ],
)
def test_the_risk_is_a_weighted_mean_of_what_is_known(
    known: tuple[float | None, float | None, float | None], wanted: float | None
) -> None:
    assert figures.hallucination_risk(*known) == (None if wanted is None else pytest.approx(wanted))


@pytest.mark.parametrize(
    ("divergence", "wanted"),
    [
        (Divergence(0.0, Method.SYNTAX), "same"),
        (Divergence(0.3, Method.SEMANTIC), "close"),
        (Divergence(0.31, Method.SEMANTIC), "different"),
        (Divergence(0.9, Method.BLEU), "different"),
    ],
)
def test_the_verdict_follows_the_methods_threshold(divergence: Divergence, wanted: str) -> None:
    assert figures.verdict(divergence) == wanted


def test_the_weakest_category_comes_first_with_pairs_to_make() -> None:
    outcomes = [("code", True)] * 9 + [("code", False)] + [("math", False)] * 3 + [("math", True)]
    found = advice.analysis(outcomes, ["code", "science"])
    assert (found.tests, found.right, found.weak) == (14, 10, ("math",))
    assert [(one.category, one.success) for one in found.categories] == [("math", 0.25), ("code", 0.9)]
    first, second = found.recommendations
    assert (first.category, first.count, first.difficulty) == ("math", 12, "easy")
    assert second.category == "science"
    assert found.estimated_improvement == pytest.approx(0.5 * 3 / 14)


def test_without_test_questions_nothing_is_claimed() -> None:
    found = advice.analysis([], ["code"])
    assert (found.success, found.estimated_improvement, found.weak) == (None, None, ())
    assert [one.category for one in found.recommendations] == ["code"]


def done(number: int, effect: Effect) -> Round:
    return Round(number, 5, 4, 1, 1, None, effect, 0.0)


@pytest.mark.parametrize(
    ("effects", "most", "wanted"),
    [
        ((), 3, ""),
        (("better",), 3, ""),
        (("better", "same"), 3, ""),
        (("better", "same", "worse"), 5, "nothing improved in 2 rounds"),
        (("same", "better"), 5, ""),
        (("better", "better"), 2, "2 rounds are over"),
    ],
)
def test_teaching_stops_when_its_rounds_are_over_or_nothing_improves(
    effects: tuple[Effect, ...], most: int, wanted: str
) -> None:
    assert rounds.why_stop([done(number, effect) for number, effect in enumerate(effects, 1)], most) == wanted


@pytest.mark.parametrize(("before", "after", "wanted"), [(2, 3, "better"), (2, 2, "same"), (2, 1, "worse")])
def test_a_round_is_judged_by_the_same_questions(before: int, after: int, wanted: Effect) -> None:
    assert rounds.effect(before, after) == wanted
