"""Answers that are rated, and what the journal makes of it."""

import numpy as np

from shammah.journal import Journal
from shammah.policy import Reason, Side
from shammah.records.examples import KeptExample
from shammah.records.questions import Answer, NewAnswer, Question
from shammah_convert.chat import Message

LINEAGE = "base"


def ask(
    journal: Journal, side: Side = Side.LOCAL, text: str = "git reset --hard", finish: str = "stop", online: bool = True
) -> Question:
    context = [Message("system", "Be short."), Message("user", "undo my last commit")]
    question = journal.begin("here", LINEAGE, context, 0, online)
    journal.save(question, [answer(side, text, finish, is_shown=True)])
    return question


def answer(side: Side, text: str, finish: str = "stop", is_shown: bool = False) -> NewAnswer:
    return NewAnswer(
        side=side,
        is_shown=is_shown,
        text=text,
        reason=Reason.COLD_START,
        finish=finish,
        model="m",
        adapters=(),
        is_verified=False,
        prompt_tokens=1,
        completion_tokens=1,
        seconds={},
        features=np.zeros(1, dtype=np.float32),
        feature_version=1,
    )


def only(journal: Journal) -> KeptExample:
    (kept,) = journal.examples.all()
    return kept


def lessons(journal: Journal) -> list[tuple[str, bool, float, int | None]]:
    return [
        (head, lesson.is_good, lesson.weight, lesson.answer.id if lesson.answer else None)
        for head in ("router", "validator")
        for lesson in journal.lessons.of(head, LINEAGE, 0)
    ]


def shown(journal: Journal, question: Question) -> Answer:
    found = journal.shown(question)
    assert found is not None
    return found
