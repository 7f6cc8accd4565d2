"""The gate lets a candidate pass that learnt what it should and forgot nothing, and says why of any other."""

import math
from dataclasses import replace

import pytest

from shammah.gate import (
    COARSE_LOGIT_TOLERANCE,
    LEAST_HELD_OUT,
    LOGIT_TOLERANCES,
    MOST_RISE,
    logit_tolerance,
    merits,
    objections,
)
from shammah_convert.job import MOST_DRIFT, Change, Confirmed, Measure, Move, Report, Score

NAN, INF = math.nan, math.inf
LEARNT, GENERAL = "the loss on what it should learn did not fall", "general questions rose by more than"
HELD_OUT, DRIFT = "held-out answers rose by more than", "it moves the answers to general questions by"


def change(losses: tuple[float, float], rows: int = 9) -> Change:
    before, after = (Score(rows, loss, 3) for loss in losses)
    return Change(before, after)


def report(learnt: tuple[float, float], general: tuple[float, float], types: tuple[str, ...] = ("F16",)) -> Report:
    return Report(change(learnt), Change(), 1, 1, 1.0, "", (), types, general=change(general))


GOOD = report((2.0, 0.1), (1.0, 1.0))


@pytest.mark.parametrize(
    ("learnt", "general", "expected"),
    [
        ((2.0, 0.1), (1.0, 0.9), []),
        ((2.0, 0.1), (1.0, 1.0), []),
        ((2.0, 1.999), (1.0, 1.0 + MOST_RISE), []),
        ((2.0, 0.1), (1.0, 1.021), [GENERAL]),
        ((2.0, 0.1), (4.0, 4.08), []),  # 2% of itself
        ((2.0, 0.1), (4.0, 4.09), [GENERAL]),
        ((2.0, 0.1), (0.01, 0.029), []),  # 2% of perplexity
        ((2.0, 0.1), (0.01, 0.031), [GENERAL]),
        ((2.0, 2.0), (1.0, 1.0), [LEARNT]),
        ((2.0, 2.1), (1.0, 1.0), [LEARNT]),
        ((0.0, 0.0), (1.0, 1.0), [LEARNT]),  # it knew all before
        ((2.0, 2.1), (1.0, 1.1), [LEARNT, GENERAL]),
        ((2.0, NAN), (1.0, 1.0), [LEARNT]),
        ((NAN, 0.1), (1.0, 1.0), [LEARNT]),
        ((2.0, 0.1), (1.0, NAN), [GENERAL]),
        ((2.0, 0.1), (1.0, INF), [GENERAL]),
        ((2.0, 0.1), (NAN, 1.0), [GENERAL]),
    ],
)
def test_what_speaks_against_a_candidate(
    learnt: tuple[float, float], general: tuple[float, float], expected: list[str]
) -> None:
    check(report(learnt, general), expected)


def check(candidate: Report, expected: list[str]) -> None:
    found = objections(candidate)
    assert len(found) == len(expected), found
    for words, objection in zip(expected, found, strict=True):
        assert words in objection


@pytest.mark.parametrize(
    ("rows", "losses", "expected"),
    [
        (LEAST_HELD_OUT, (1.0, 1.01), []),
        (LEAST_HELD_OUT, (1.0, 1.1), [HELD_OUT]),
        (LEAST_HELD_OUT, (1.0, NAN), [HELD_OUT]),
        (LEAST_HELD_OUT - 1, (1.0, 1.1), []),  # noise
        (LEAST_HELD_OUT - 1, (1.0, NAN), []),
    ],
)
def test_held_out_answers_have_a_say_once_there_are_enough(
    rows: int, losses: tuple[float, float], expected: list[str]
) -> None:
    check(replace(GOOD, held_out=change(losses, rows)), expected)


@pytest.mark.parametrize(
    ("drift", "expected"), [(0.0, []), (MOST_DRIFT, []), (MOST_DRIFT * 1.01, [DRIFT]), (NAN, [DRIFT]), (INF, [DRIFT])]
)
def test_other_answers_may_be_moved_by_so_much_and_no_more(drift: float, expected: list[str]) -> None:
    check(replace(GOOD, drift=Move(after=Measure(drift))), expected)


def test_a_candidate_that_cannot_be_compared_is_refused() -> None:
    check(replace(GOOD, general=Change()), ["there is no general question to compare with"])
    check(replace(GOOD, general=Change(), held_out=change((1.0, 1.0), LEAST_HELD_OUT)), [])


@pytest.mark.parametrize(
    ("exact", "asked", "same", "is_refused"),
    [
        (9, 5, 5, False),
        (9, 5, 1, False),  # others were near a tie
        (9, 5, 0, True),
        (9, 0, 0, False),  # there was no time
        (4, 5, 0, False),  # the five that were asked may be those that are not exact
        (5, 5, 0, True),  # one of them must be
        (0, 5, 0, False),
    ],
)
def test_a_candidate_that_llama_cpp_contradicts_is_refused(exact: int, asked: int, same: int, is_refused: bool) -> None:
    learnt = Change(Score(9, 2.0, 0), Score(9, 0.1, exact))
    expected = ["llama.cpp answers none of 5 corrections as the trainer says it does"] if is_refused else []
    check(replace(GOOD, learnt=learnt, confirmed=Confirmed(asked, same)), expected)


def test_an_objection_has_its_numbers() -> None:
    bad = replace(report((2.0, 2.25), (1.0, 1.5)), drift=Move(after=Measure(1.25)))
    assert objections(bad) == [
        "the loss on what it should learn did not fall (2.0000 -> 2.2500)",
        "the loss on 9 general questions rose by more than 0.020 (1.0000 -> 1.5000)",
        f"it moves the answers to general questions by 1.2500 nats a token, over {MOST_DRIFT:g}",
    ]
    assert merits(bad) == []


def test_a_merit_has_its_numbers() -> None:
    good = replace(
        GOOD,
        learnt=Change(Score(3, 2.0, 0), Score(3, 0.1, 3)),
        held_out=change((1.0, 1.01), LEAST_HELD_OUT),
        drift=Move(after=Measure(0.001)),
        confirmed=Confirmed(3, 2),
    )
    assert merits(good) == [
        "the loss on what it should learn fell (2.0000 -> 0.1000)",
        "3 of 3 are exact (0 before)",
        "the loss on 9 general questions stayed within 0.020 (1.0000 -> 1.0000)",
        "the loss on 20 held-out answers stayed within 0.020 (1.0000 -> 1.0100)",
        f"it moves the answers to general questions by 0.0010 nats a token, of {MOST_DRIFT:g} allowed",
        "llama.cpp answers 2 of 3 corrections to the letter",
    ]


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (("F32",), LOGIT_TOLERANCES["F32"]),
        (("F16", "F32"), LOGIT_TOLERANCES["F16"]),
        (("BF16", "F32"), LOGIT_TOLERANCES["BF16"]),
        (("F32", "Q8_0"), LOGIT_TOLERANCES["Q8_0"]),
        (("F32", "Q4_K", "Q6_K"), COARSE_LOGIT_TOLERANCE),
        (("F16", "F32", "Q4_0", "Q8_0"), COARSE_LOGIT_TOLERANCE),
    ],
)
def test_coarsely_packed_bases_may_differ_by_more(types: tuple[str, ...], expected: float) -> None:
    assert logit_tolerance(report((2.0, 1.0), (1.0, 1.0), types)) == expected
