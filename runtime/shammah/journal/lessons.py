"""Lessons: labelled outcomes for router and validator."""

import sqlite3
from dataclasses import dataclass

from shammah.rows import now

HEADS = ("router", "validator")
USER_WEIGHT = 1.0


@dataclass(frozen=True, slots=True)
class NewLesson:
    """How one local answer turned out; for both heads."""

    lineage: str
    question: int
    answer: int
    is_good: bool
    weight: float
    source: str


def insert_lessons(db: sqlite3.Connection, lesson: NewLesson) -> None:
    """Record a lesson for both heads within a transaction."""
    for head in HEADS:
        db.execute(
            "INSERT INTO lessons (created, head, lineage, question, answer, is_good, weight, source)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                now(),
                head,
                lesson.lineage,
                lesson.question,
                lesson.answer,
                lesson.is_good,
                lesson.weight,
                lesson.source,
            ),
        )
