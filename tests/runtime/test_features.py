"""Questions and answers become small, finite, named numbers, and topics are recognised."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shammah import features
from shammah.features import ANSWER_FEATURES, CLIP, QUESTION_FEATURES
from shammah.generation import Completion, End, Finish
from shammah.policy import Topic


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
    assert not any(features.of_answer("q", completion("Yes."))[-8:])


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How do I list files?", Topic.GENERAL),
        ("Should we scale with microservices or a monolith?", Topic.ARCHITECTURE),
        ("Which design pattern fits?", Topic.ARCHITECTURE),
        ("Is this open to SQL injection?", Topic.SECURITY),
        ("How do I store OAuth tokens?", Topic.SECURITY),
        ("Explain the security of this architecture", Topic.SECURITY),  # the dearer topic wins
        ("What is a cellar?", Topic.GENERAL),
    ],
)
def test_a_questions_topic_is_recognised(question: str, expected: Topic) -> None:
    assert features.topic(question) is expected
