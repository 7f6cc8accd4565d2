"""A blind comparison: two answers to one question in a hidden order, and what the user's pick teaches."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shammah import features, watching
from shammah.journal import Journal
from shammah.journal.comparisons import NewComparison, Pick
from shammah.journal.lessons import USER_WEIGHT, NewLesson
from shammah.policy import Side
from shammah.privacy import says_the_same
from shammah.records.examples import NewExample, Rating
from shammah.records.questions import Answer, NewAnswer, Question


@dataclass(frozen=True, slots=True)
class Contender:
    """Somebody's whole answer, redacted."""

    name: str
    answer: NewAnswer


Pair = tuple[Contender, Contender]


def hidden(one: Contender, other: Contender, chance: random.Random) -> Pair:
    """Both in an order that nothing tells."""
    return (one, other) if chance.random() < 0.5 else (other, one)


def is_same(pair: Pair) -> bool:
    """Whether there is nothing to pick."""
    return says_the_same(pair[0].answer.text, pair[1].answer.text)


def settle(journal: Journal, question: Question, pair: Pair, picked: Pick) -> Answer:
    """Commit both answers and what the pick teaches; the one that was picked is the question's answer.

    Args:
        journal: Keeps it.
        question: That both answered.
        pair: As they were shown.
        picked: By the user.
    """
    place = int(picked == "second")
    shown = [replace(one.answer, is_shown=number == place) for number, one in enumerate(pair)]
    first, second = answers = journal.save(question, shown)
    lesson = _lesson(question, answers, picked)
    if lesson is not None:
        _note_features(journal, question)
    journal.comparisons.record(
        NewComparison(
            answers=(first.id, second.id),
            names=(pair[0].name, pair[1].name),
            picked=picked,
            example=None if picked == "both" else _example(question, answers[place], answers[1 - place]),
            lesson=lesson,
        )
    )
    if lesson is not None:
        watching.look(journal, question.lineage)
    return answers[place]


def _example(question: Question, picked: Answer, other: Answer) -> NewExample:
    """The picked answer as a target, which is preferred to the other."""
    return NewExample(
        answer=picked.id,
        prompt=question.context,
        completion=picked.text,
        source="user",
        weight=Rating.GOOD.weight,
        rejected=other.text,
    )


def _lesson(question: Question, answers: Sequence[Answer], picked: Pick) -> NewLesson | None:
    """What a pick between the local model and the teacher tells of the local answer."""
    sides = [answer.side for answer in answers]
    if sorted(sides) != [Side.LOCAL, Side.TEACHER]:
        return None
    place = sides.index(Side.LOCAL)
    is_good = picked == "both" or place == int(picked == "second")
    return NewLesson(question.lineage, question.number, answers[place].id, is_good, USER_WEIGHT, "user")


def _note_features(journal: Journal, question: Question) -> None:
    earlier = sum(message.role == "user" for message in question.context) - 1
    journal.note_features(question, features.of_question(question.text, earlier))
