"""The gate lets a candidate pass that learnt what it should and forgot nothing, and says why of any other."""

import math

import pytest

from shammah.gate import COARSE_LOGIT_TOLERANCE, LOGIT_TOLERANCES, MOST_RISE, logit_tolerance, objections
from shammah_convert.job import Change, Report, Score

NAN, INF = math.nan, math.inf
LEARNT, HELD_OUT = "the loss on what it should learn did not fall", "held-out answers rose by more than"


def report(learnt: tuple[float, float], held_out: tuple[float, float], types: tuple[str, ...] = ("F16",)) -> Report:
    def change(losses: tuple[float, float]) -> Change:
        before, after = (Score(9, loss, 3) for loss in losses)
        return Change(before, after)

    return Report(change(learnt), change(held_out), 1, 1, 1.0, "", (), types)


@pytest.mark.parametrize(
    ("learnt", "held_out", "expected"),
    [
        ((2.0, 0.1), (1.0, 0.9), []),
        ((2.0, 0.1), (1.0, 1.0), []),
        ((2.0, 1.999), (1.0, 1.0 + MOST_RISE), []),
        ((2.0, 0.1), (0.0, 0.0), []),  # nothing is held out
        ((2.0, 0.1), (1.0, 1.021), [HELD_OUT]),
        ((2.0, 0.1), (4.0, 4.08), []),  # 2% of itself
        ((2.0, 0.1), (4.0, 4.09), [HELD_OUT]),
        ((2.0, 0.1), (0.01, 0.029), []),  # 2% of perplexity
        ((2.0, 0.1), (0.01, 0.031), [HELD_OUT]),
        ((2.0, 2.0), (1.0, 1.0), [LEARNT]),
        ((2.0, 2.1), (1.0, 1.0), [LEARNT]),
        ((0.0, 0.0), (1.0, 1.0), [LEARNT]),  # it knew all before
        ((2.0, 2.1), (1.0, 1.1), [LEARNT, HELD_OUT]),
        ((2.0, NAN), (1.0, 1.0), [LEARNT]),
        ((NAN, 0.1), (1.0, 1.0), [LEARNT]),
        ((2.0, 0.1), (1.0, NAN), [HELD_OUT]),
        ((2.0, 0.1), (1.0, INF), [HELD_OUT]),
        ((2.0, 0.1), (NAN, 1.0), [HELD_OUT]),
    ],
)
def test_what_speaks_against_a_candidate(
    learnt: tuple[float, float], held_out: tuple[float, float], expected: list[str]
) -> None:
    found = objections(report(learnt, held_out))
    assert len(found) == len(expected)
    for words, objection in zip(expected, found, strict=True):
        assert words in objection


def test_an_objection_has_its_numbers() -> None:
    said = objections(report((2.0, 2.25), (1.0, 1.5)))
    assert said == [
        "the loss on what it should learn did not fall (2.0000 -> 2.2500)",
        "the loss on 9 held-out answers rose by more than 0.020 (1.0000 -> 1.5000)",
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
