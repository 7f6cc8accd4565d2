"""The heads of a base lineage, kept in step with the journal.

A head's file is a view of the lessons in the journal: it names the last lesson that it took in, and whoever
opens it takes in what came since. A crash between the two loses nothing.
"""

import contextlib
import fcntl
import logging
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from shammah import features
from shammah.features import ANSWER_FEATURES, QUESTION_FEATURES, Features, Vector
from shammah.generation import Completion, End, Finish
from shammah.heads import ROUTER, VALIDATOR, Head, WrongState
from shammah.journal import Journal
from shammah.learners import Kind
from shammah.records import Answer, Lesson, Question

HeadName = Literal["router", "validator"]

_WIDTH = {"router": len(QUESTION_FEATURES), "validator": len(QUESTION_FEATURES) + len(ANSWER_FEATURES)}
_PRIOR = {"router": ROUTER, "validator": VALIDATOR}
_log = logging.getLogger(__name__)


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


class Heads:
    """Router and validator of one base lineage."""

    def __init__(self, home: Path, journal: Journal, lineage: str, kind: Kind) -> None:
        self._folder = home / "heads" / lineage[:16]
        self._journal = journal
        self._lineage = lineage
        self._kind = kind

    def open(self, name: HeadName) -> Head:
        """A head that has taken in every lesson so far."""
        head = self._load(name)
        if head is not None and head.cursor >= self._journal.last_lesson(name, self._lineage):
            return head
        return self.catch_up(name)

    def catch_up(self, name: HeadName) -> Head:
        """Take in the lessons that are new, one writer at a time, and save."""
        with self._locked():
            head = self._load(name) or Head.fresh(self._kind, _WIDTH[name], _PRIOR[name])
            before = head.cursor
            for lesson in self._journal.lessons(name, self._lineage, head.cursor):
                _take_in(head, name, lesson)
            if head.cursor > before:
                head.save(self._file(name))
        return head

    def _load(self, name: HeadName) -> Head | None:
        file = self._file(name)
        try:
            head = Head.load(file, self._kind, _WIDTH[name], _PRIOR[name])
            if head.cursor > self._journal.last_lesson(name, self._lineage):
                head.cursor = 0  # of a journal that is gone; what was learnt stays
            return head
        except FileNotFoundError:
            return None
        except WrongState as error:
            aside = file.with_name(f"{file.name}.aside-{time.strftime('%Y%m%dT%H%M%S')}")
            _log.warning("%s; it is set aside as %s and learnt again from the journal", error, aside.name)
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                file.rename(aside)
            return None

    def _file(self, name: HeadName) -> Path:
        return self._folder / f"{name}.npz"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def _take_in(head: Head, name: HeadName, lesson: Lesson) -> None:
    """Learn from a lesson; one that nothing was seen of is passed over."""
    seen = seen_by_router(lesson.question) if name == "router" else _seen_with_answer(lesson.question, lesson.answer)
    if lesson.answer is not None:
        head.note_applied(zlib.crc32(repr(lesson.answer.adapters).encode()))
    if seen is None:
        head.cursor = lesson.id
    else:
        head.learn(seen, lesson.is_good, lesson.weight, lesson.id)


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
