"""Lessons: labelled outcomes for router and validator."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shammah import rows
from shammah.contract import Evidence
from shammah.database import Database
from shammah.divergence import Divergence
from shammah.journal.evidence import judged
from shammah.journal.heads import HeadRows
from shammah.learners import DEFAULT_KIND, Kind
from shammah.records.heads import Lesson
from shammah.records.questions import Answer, Question
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


class Lessons:
    """What the heads of a home learn from."""

    def __init__(self, db: Database, heads: HeadRows) -> None:
        self._db = db
        self._heads = heads

    def teach(self, question: Question, local: Answer, divergence: Divergence, is_good: bool) -> None:
        """Record how far a local answer is from the teacher's, and the lesson that it is for both heads."""
        lesson = NewLesson(
            question.lineage, question.number, local.id, is_good, divergence.label_weight, divergence.method
        )
        self._compare(local, divergence, lesson)

    def teach_by_user(self, question: Question, local: Answer, divergence: Divergence, is_good: bool | None) -> None:
        """Record the same where the user rated the teacher's answer; None where that tells nothing of the local one."""
        lesson = NewLesson(question.lineage, question.number, local.id, bool(is_good), USER_WEIGHT, "user")
        self._compare(local, divergence, None if is_good is None else lesson)

    def _compare(self, local: Answer, divergence: Divergence, lesson: NewLesson | None) -> None:
        with self._db.write() as db:
            db.execute(
                "UPDATE answers SET divergence = ?, method = ? WHERE id = ?",
                (divergence.value, divergence.method, local.id),
            )
            if lesson is not None:
                insert_lessons(db, lesson)

    def of(self, head: str, lineage: str, after: int, until: int | None = None) -> Iterator[Lesson]:
        """The lessons of a head after a place, and up to another where one is given, in order."""
        found = self._db.execute(
            "SELECT * FROM lessons WHERE head = ? AND lineage = ? AND id > ? AND id <= coalesce(?, id) ORDER BY id",
            (head, lineage, after, until),
        ).fetchall()
        return self._lessons(found)

    def inherited(self, head: str, lineage: str) -> Iterator[Lesson]:
        """The lessons of earlier bases that a base took over, in order."""
        adoption = self._heads.adoption(lineage)
        found = self._db.execute(
            "SELECT * FROM lessons WHERE head = ? AND lineage != ? AND id <= ? ORDER BY id",
            (head, lineage, adoption.until if adoption else 0),
        ).fetchall()
        return self._lessons(found)

    def without_embedding(self) -> Iterator[Question]:
        """Questions that taught something before there was an embedder."""
        found = self._db.execute(
            "SELECT number FROM questions WHERE embedding IS NULL AND features IS NOT NULL"
            " AND number IN (SELECT question FROM lessons) ORDER BY number"
        ).fetchall()
        return (self._question(row["number"]) for row in found)

    def _lessons(self, found: Sequence[sqlite3.Row]) -> Iterator[Lesson]:
        for row in found:
            answer = None if row["answer"] is None else self._answer(row["answer"])
            yield Lesson(
                row["id"],
                self._question(row["question"]),
                answer,
                bool(row["is_good"]),
                float(row["weight"]),
            )

    def last(self, head: str, lineage: str) -> int:
        """The id of a head's newest lesson; 0 where there is none."""
        row = self._db.execute("SELECT max(id) FROM lessons WHERE head = ? AND lineage = ?", (head, lineage))
        return int(row.fetchone()[0] or 0)

    def evidence(self, lineage: str, most: int, learner: Kind = DEFAULT_KIND) -> list[Evidence]:
        """The newest judged local answers that heads of a kind had seen, oldest first, for the quality contract."""
        views = [self._heads.view(lineage, head) for head in ("router", "validator")]
        return judged(self._db, lineage, most, views, learner)

    def _question(self, number: int) -> Question:
        return rows.to_question(self._db.execute("SELECT * FROM questions WHERE number = ?", (number,)).fetchone())

    def _answer(self, id: int) -> Answer:
        return rows.to_answer(self._db.execute("SELECT * FROM answers WHERE id = ?", (id,)).fetchone())
