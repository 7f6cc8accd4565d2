"""What router and validator see of recorded questions and answers."""

from typing import Literal

import numpy as np

from shammah import features
from shammah.features import ANSWER_FEATURES, QUESTION_FEATURES, Features, Vector
from shammah.generation import Completion, End, Finish
from shammah.records.heads import Lesson
from shammah.records.questions import Answer, Question

HeadName = Literal["router", "validator"]
HEAD_NAMES: tuple[HeadName, ...] = ("router", "validator")


def seen_by_router(question: Question) -> Features | None:
    """What the router sees of a recorded question, read again where another version saw it; None where none did."""
    if question.features is None:
        return None
    if question.feature_version == features.VERSION:
        return Features(question.features, question.embedding)
    earlier_turns = sum(message.role == "user" for message in question.context) - 1
    return Features(features.of_question(question.text, earlier_turns), question.embedding)


def seen_by_validator(question: Question, answer: Vector) -> Features | None:
    """What the validator sees: the question and a local answer's hand features."""
    seen = seen_by_router(question)
    return seen and Features(np.concatenate([seen.hand, answer]), seen.embedding)


def names_of(name: HeadName) -> tuple[str, ...]:
    """The hand features that a head sees, by name."""
    if name == "router":
        return QUESTION_FEATURES
    return (*QUESTION_FEATURES, *(f"answer_{feature}" for feature in ANSWER_FEATURES))


def seen_in(name: HeadName, lesson: Lesson) -> Features | None:
    """What a head sees of a lesson; None where nothing was kept of it."""
    if name == "router":
        return seen_by_router(lesson.question)
    return _seen_with_answer(lesson.question, lesson.answer)


def _seen_with_answer(question: Question, answer: Answer | None) -> Features | None:
    if answer is None or answer.features is None:
        return None
    return seen_by_validator(question, _answer_features(question, answer, answer.features))


def _answer_features(question: Question, answer: Answer, seen: Vector) -> Vector:
    """Hand features of an answer; of another version's answer those of its text, as nothing else was kept of it."""
    if answer.feature_version == features.VERSION:
        return seen
    end = End(Finish(answer.finish), answer.prompt_tokens, answer.completion_tokens)
    return features.of_answer(question.text, Completion(answer.text, end))
