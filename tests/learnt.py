"""Lessons as tests put them into a journal, and the heads that take them in."""

from pathlib import Path
from typing import Any

import numpy as np

from shammah import features
from shammah.divergence import Divergence, Method
from shammah.features import ANSWER_FEATURES, QUESTION_FEATURES
from shammah.heads import Head
from shammah.journal import Journal
from shammah.learning import Heads
from shammah.policy import Reason, Side
from shammah.records.questions import NewAnswer
from shammah.sight import HeadName
from shammah_convert.chat import Message

LINEAGE = "0123456789abcdef0123456789abcdef"
NAMES: tuple[HeadName, ...] = ("router", "validator")
ROOT = Path(__file__).parents[1]


def heads(journal: Journal) -> Heads:
    return Heads(journal.path.parent, journal, LINEAGE, "bayes")


def file(journal: Journal, name: HeadName = "router") -> Path:
    return journal.path.parent / "heads" / LINEAGE[:16] / f"{name}.npz"


def local_answer(hand: np.ndarray[Any, np.dtype[np.float32]]) -> NewAnswer:
    return NewAnswer(
        side=Side.LOCAL,
        is_shown=False,
        text="Because.",
        reason=Reason.SAMPLED,
        finish="stop",
        model="seedling",
        adapters=(),
        is_verified=False,
        prompt_tokens=1,
        completion_tokens=1,
        seconds={},
        features=hand,
        feature_version=features.VERSION,
    )


def teach(journal: Journal, count: int, seed: int = 0, has_embedding: bool = False) -> None:
    """Commit so many comparisons."""
    teach_base(journal, LINEAGE, count, seed, has_embedding)


def teach_base(journal: Journal, lineage: str, count: int, seed: int = 0, has_embedding: bool = False) -> None:
    """Commit so many comparisons for a base."""
    chance = np.random.default_rng(seed)
    for number in range(count):
        question = journal.begin("here", lineage, [Message("user", f"Question {number}?")], 0, True)
        hand = chance.normal(size=len(QUESTION_FEATURES)).astype(np.float32)
        vector = chance.normal(size=384).astype(np.float32) / np.float32(20) if has_embedding else None
        question = journal.note_route(question, hand, vector, 0.5)
        answer = local_answer(chance.normal(size=len(ANSWER_FEATURES)).astype(np.float32))
        divergence = Divergence(0.1, Method.SEMANTIC)
        journal.lessons.teach(question, journal.save(question, [answer])[0], divergence, bool(chance.integers(2)))


def assert_same(one: Head, other: Head) -> None:
    assert (one.lessons, one.cursor, one.with_embedding) == (other.lessons, other.cursor, other.with_embedding)
    for name, array in one.learner.arrays().items():
        np.testing.assert_array_equal(array, other.learner.arrays()[name])


def relearnt(journal: Journal, name: HeadName, home: Path) -> Head:
    """The head that the journal's lessons make, from nothing."""
    return Heads(home, journal, LINEAGE, "bayes").open(name)
