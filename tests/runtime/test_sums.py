"""Sums in a text are found, and checked as a reader would."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shammah import answer_figures, sums
from shammah.sums import Sum


def found(text: str) -> list[Sum]:
    return list(sums.find(text))


@pytest.mark.parametrize(
    ("text", "figures", "result"),
    [
        ("3 + 4 = 7", (3, 4), 7),
        ("3 boxes * $2 = $6", (3, 2), 6),
        ("so 16 - 3 - 4 = 9 eggs", (16, 3, 4), 9),
        ("1,000 / 8 = 125", (1000, 8), 125),
        ("2 x 3 = 6", (2, 3), 6),
        ("7 ÷ 2 = 3.5", (7, 2), 3.5),
        ("50% * 8 = 4", (0.5, 8), 4),
        ("2 + 3 * 4 = 14", (2, 3, 4), 14),
        ("10 / 3 = 3.33", (10, 3), 3.33),
    ],
)
def test_a_sum_is_read_with_its_result_and_holds(text: str, figures: tuple[float, ...], result: float) -> None:
    (one,) = found(text)
    assert (one.figures, one.result) == (figures, result)
    assert one.holds


@pytest.mark.parametrize("text", ["3 + 4 = 8", "6 / 0 = 6", "100 - 1 = 90"])
def test_a_wrong_sum_does_not_hold(text: str) -> None:
    assert not found(text)[0].holds


@pytest.mark.parametrize(
    "text", ["x = 5", "3 + 4", "= 7", "3. 4 = 4", "2 + = 3", "3 apples that she bought + 4 = 7", "well-known"]
)
def test_what_is_no_sum_is_passed_over(text: str) -> None:
    assert found(text) == []


def test_a_result_goes_on_into_the_next_sum() -> None:
    assert [one.figures for one in found("3 + 4 = 7 * 2 = 14")] == [(3, 4), (7, 2)]


def test_a_calculators_marks_are_taken_out() -> None:
    assert sums.without_calculator("3*2=<<3*2=6>>6") == "3*2=6"


def test_figures_are_read_with_thousands_and_decimals_and_not_out_of_words() -> None:
    assert sums.figures("$1,250.50 for 3 of v2") == [1250.5, 3.0]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("3 + 4 = <<3+4=7>>7\n#### 7", "The answer is 7.00", True),
        ("1,000", "It is $1000", True),
        ("so 7", "so 8", False),
        ("seven", "seven", False),
        ("7", "", False),
    ],
)
def test_two_answers_have_the_same_result_when_they_end_in_the_same_figure(one: str, other: str, is_same: bool) -> None:
    assert answer_figures.same_result(one, other) is is_same


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="0123456789+-*/=.,% x$()a\n", max_size=200))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    assert all(isinstance(one.holds, bool) for one in found(text))


def test_long_texts_are_read_in_time_that_grows_with_their_length() -> None:
    """Ten times the text, well under a hundred times the work: a pattern that tries again would take longer."""
    seconds = []
    for count in (2_000, 20_000):
        start = time.process_time()
        found("1 + " * count + "9" * count)
        seconds.append(time.process_time() - start)
    assert seconds[1] < 50 * seconds[0] + 0.5
