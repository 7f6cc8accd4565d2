"""Questions and answers become small, finite, named numbers, and topics are recognised."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shammah import features
from shammah.features import ANSWER_FEATURES, CLIP, QUESTION_FEATURES
from shammah.generation import Completion, End, Finish


def completion(text: str, finish: Finish = Finish.STOP, logprobs: tuple[float, ...] = ()) -> Completion:
    return Completion(text, End(finish, 1, len(logprobs)), logprobs)


def of_question(question: str, earlier_turns: int = 0) -> dict[str, float]:
    return dict(zip(QUESTION_FEATURES, features.of_question(question, earlier_turns).tolist(), strict=True))


def of_answer(question: str, answer: Completion) -> dict[str, float]:
    return dict(zip(ANSWER_FEATURES, features.of_answer(question, answer).tolist(), strict=True))


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=200), st.integers(0, 10**6))
def test_a_question_gives_finite_numbers_within_the_clip(question: str, earlier_turns: int) -> None:
    vector = features.of_question(question, earlier_turns)
    assert vector.dtype == np.float32
    assert vector.shape == (len(QUESTION_FEATURES),)
    assert np.abs(vector).max() <= CLIP  # also false for NaN


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=80), st.text(max_size=200), st.sampled_from(Finish), st.lists(st.floats(-100, 0), max_size=30))
def test_an_answer_gives_finite_numbers_within_the_clip(
    question: str, text: str, finish: Finish, logprobs: list[float]
) -> None:
    vector = features.of_answer(question, completion(text, finish, tuple(logprobs)))
    assert vector.dtype == np.float32
    assert vector.shape == (len(ANSWER_FEATURES),)
    assert np.abs(vector).max() <= CLIP


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("choices", "Which one?\nA. this\nB. that"),
        ("percent", "What is 5% of it"),
        ("dollar", "It costs $5"),
        ("underscore", "what does max_size do"),
        ("negation", "Which is not a mammal"),
        ("quantity", "each of them gets half"),
        ("how_many", "How many are left"),
        ("reasoning", "Explain the sea"),
        ("making", "Write a poem"),
        ("code", "what is `ls`"),
    ],
)
def test_a_trait_of_a_question_is_seen_and_otherwise_absent(name: str, question: str) -> None:
    assert (of_question(question)[name], of_question("Where is the moon?")[name]) == (1.0, 0.0)


def test_earlier_turns_count_up_to_eight() -> None:
    assert [of_question("and then?", turns)["earlier_turns"] for turns in (0, 2, 8, 50)] == [0.0, 0.5, 2.0, 2.0]


@pytest.mark.parametrize(
    ("finish", "is_whole", "is_cut"), [(Finish.STOP, 1, 0), (Finish.LENGTH, 0, 1), (Finish.INTERRUPTED, 0, 0)]
)
def test_how_an_answer_ended_is_seen(finish: Finish, is_whole: int, is_cut: int) -> None:
    seen = of_answer("Why?", completion("Because.", finish))
    assert (seen["is_whole"], seen["is_cut"]) == (is_whole, is_cut)


def test_hedges_are_counted() -> None:
    assert of_answer("Why?", completion("I don't know, maybe so."))["hedges"] == 2


def test_a_repeated_phrase_is_repetition_and_a_fresh_one_is_not() -> None:
    fresh = of_answer("q", completion("one two three four five six seven eight nine"))
    stuck = of_answer("q", completion("one two three " * 3))
    # 7 trigrams, 3 of them new: 4 * (1 - 3 / 7)
    assert fresh["repetition"] == 0.0
    assert stuck["repetition"] == pytest.approx(4 * 4 / 7)


def test_token_log_probabilities_are_summed_up() -> None:
    seen = of_answer("q", completion("Yes.", logprobs=(-0.2, -1.0, -0.1, -0.3)))
    expected = {
        "has_logprobs": 1.0,
        "mean_logprob": -0.4 * 3,
        "lowest_logprob": -1.0 / 2,
        "lowest_tenth": -1.0,
        "first_logprob": -0.2,
        "below_half": 1 / 4 * 4,  # ln 0.5 = -0.69
        "last_quarter": -0.3 * 3,
    }
    assert {name: seen[name] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_without_log_probabilities_their_features_are_zero() -> None:
    names = ANSWER_FEATURES[ANSWER_FEATURES.index("has_logprobs") : ANSWER_FEATURES.index("sums")]
    assert len(names) == 8
    assert not any(of_answer("q", completion("Yes."))[name] for name in names)


def test_choices_are_told_from_the_question() -> None:
    seen = of_question("What is two and two?\nA. 4\nB. 22\nC. all of these\nAnswer:")
    stem, lengths = len("What is two and two?"), [1, 2, 12]
    expected = {
        "stem": np.log1p(stem) - 5,
        "choice_length": np.log1p(np.mean(lengths)) - 2,
        "choice_spread": np.log1p(np.std(lengths)) - 2,
        "numeric_choices": 2 / 3,
        "choices_in_stem": 0.0,
        "distinct_in_choices": 1.0,
        "catch_all": 1.0,
    }
    assert {name: seen[name] for name in expected} == pytest.approx(expected, abs=1e-6)


WORKED = "She has 3 * 4 = 12 eggs.\nShe sells 12 - 2 = 10 eggs.\n#### 10"


def test_a_worked_answer_shows_its_sums_and_its_end() -> None:
    seen = of_answer("She has 3 boxes of 4 eggs and keeps 2. How many does she sell?", completion(WORKED))
    expected = {
        "has_failing_sum": 0,
        "holding_sums": 2 / 3,
        "chained_sums": 1,
        "final_is_last_result": 1,
        "final_is_last_said": 1,
        "final_is_whole": 1,
        "asked_in_answer": 1,
        "asked_in_sums": 1,
        "asked_unused": 0,
        "marks_final": 1,
        "ends_in_digit": 1,
    }
    assert {name: seen[name] for name in expected} == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("has_failing_sum", WORKED.replace("= 12", "= 13")),
        ("asked_unused", WORKED.replace("3 * 4", "12 * 1")),
        ("open_brackets", WORKED + " (as"),
        ("assumes", "However, " + WORKED),
        ("percent_added", WORKED + "%"),
    ],
)
def test_what_is_wrong_with_a_worked_answer_is_seen(name: str, answer: str) -> None:
    question = "She has 3 boxes of 4 eggs and keeps 2. How many does she sell?"
    assert of_answer(question, completion(answer))[name] > of_answer(question, completion(WORKED))[name]


@pytest.mark.parametrize(
    "text",
    ["Wie viele Äpfel sind übrig? 3 + 4 = 7", "\u4e94\u3064\u306e 3 + 4 = 7", "\u0643\u0645 \u0663 + \u0664 = \u0667"],
    ids=["German", "Japanese", "Arabic, with its own digits"],
)
def test_no_language_makes_features_fail(text: str) -> None:
    assert np.isfinite(features.of_answer(text, completion(text))).all()
