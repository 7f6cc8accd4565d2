"""Questions and answers as tests put them into a journal."""

import numpy as np

from shammah.journal import Journal
from shammah.policy import Reason, Side
from shammah.records.questions import NewAnswer, Question
from shammah_convert.chat import Message

LINEAGE = "base"


def begin(journal: Journal, text: str = "Why?", session: str = "here") -> Question:
    return journal.begin(session, LINEAGE, [Message("system", "Be short."), Message("user", text)], 0, True)


def answer(side: Side = Side.TEACHER, text: str = "Because.", finish: str = "stop", is_shown: bool = True) -> NewAnswer:
    return NewAnswer(
        side=side,
        is_shown=is_shown,
        text=text,
        reason=Reason.COLD_START,
        finish=finish,
        model="some-model",
        adapters=(("mine", 0.5),),
        is_verified=True,
        prompt_tokens=5,
        completion_tokens=2,
        seconds={"total": 0.5},
        features=np.array([1.5, -2.0], dtype=np.float32),
        feature_version=1,
        cost_usd=0.01,
    )


def ask(journal: Journal, text: str, said: str = "Because.", session: str = "here") -> Question:
    question = begin(journal, text, session)
    journal.save(question, [answer(text=said)])
    return question
