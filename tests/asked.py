"""Questions that were asked at given times, in a real journal."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

from shammah import features
from shammah.divergence import Divergence, Method
from shammah.journal import Journal
from shammah.records.bases import Base
from shammah.records.questions import Answer, NewAnswer, Question
from shammah_convert.chat import Message

LINEAGE = "f" * 64
TEXT = "list all files"


@dataclass(frozen=True)
class Asked:
    """One question with the answer that was shown."""

    at: str = "2026-11-20T12:00:00.000Z"
    side: str = "local"
    reason: str = "local_confident"
    is_counted: bool = True
    is_shown: bool = True
    router: float = 0.8
    validator: float | None = 0.8
    propensity: float | None = None
    lineage: str = LINEAGE
    prompt_tokens: int = 100
    completion_tokens: int = 20
    cost_usd: float | None = None
    seconds: dict[str, float] = field(default_factory=lambda: {"total": 2.0, "local": 1.0})
    adapters: tuple[tuple[str, float], ...] = ()

    def put(self, journal: Journal) -> tuple[Question, Answer]:
        """Into a journal."""
        question = journal.begin("here", self.lineage, [Message("user", TEXT)], 0, True)
        if self.is_counted:
            question = journal.note_route(question, features.of_question(TEXT), None, self.router)
        (answer,) = journal.save(question, [self._answer()], propensity=self.propensity)
        with journal._db.write() as db:
            db.execute("UPDATE questions SET created = ? WHERE number = ?", (self.at, question.number))
            db.execute("UPDATE answers SET created = ? WHERE id = ?", (self.at, answer.id))
        return journal.question_at(question.number), journal.answer(answer.id)

    def _answer(self) -> NewAnswer:
        return NewAnswer(
            side=self.side,
            is_shown=self.is_shown,
            text="ls",
            reason=self.reason,
            finish="stop",
            model="scripted",
            adapters=self.adapters,
            is_verified=False,
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            seconds=self.seconds,
            validator_probability=self.validator if self.side == "local" else None,
            features=np.ones(len(features.ANSWER_FEATURES), dtype=np.float32),
            feature_version=features.VERSION,
            cost_usd=self.cost_usd,
        )


def judge(
    journal: Journal, asked: Asked, is_good: bool, method: Method = Method.SEMANTIC, value: float | None = None
) -> tuple[Question, Answer]:
    """Ask, and compare the local answer."""
    question, answer = asked.put(journal)
    far = (0.1 if is_good else 0.9) if value is None else value
    journal.lessons.teach(question, answer, Divergence(far, method), is_good)
    return question, answer


def add(journal: Journal, question: Question, asked: Asked) -> Answer:
    """Another answer to a question."""
    (answer,) = journal.save(question, [asked._answer()])
    with journal._db.write() as db:
        db.execute("UPDATE answers SET created = ? WHERE id = ?", (asked.at, answer.id))
    return journal.answer(answer.id)


def spend(journal: Journal, question: Question, day: str, usd: float, is_settled: bool = True) -> None:
    """Let a question have cost something."""
    with journal._db.write() as db:
        db.execute(
            "INSERT INTO spending (day, usd, is_settled, question) VALUES (?, ?, ?, ?)",
            (day, usd, is_settled, question.number),
        )


def apply(journal: Journal, at: str, why: str, *adapters: tuple[str, float], lineage: str = LINEAGE) -> None:
    """Let adapters have been made active."""
    with journal._db.write() as db:
        db.execute(
            "INSERT INTO activations (created, base, adapters, earlier, why) VALUES (?, ?, ?, NULL, ?)",
            (at, lineage, json.dumps(adapters), why),
        )


def name(journal: Journal, name: str, lineage: str = LINEAGE) -> None:
    """Let a base model be known by a name."""
    journal.bases.record(Base(lineage, f"/models/{lineage[:4]}.gguf", 1, 1, 1, name, "qwen2"))


@contextmanager
def clock_of(zone: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the local clock be that of a zone."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        yield
    time.tzset()
