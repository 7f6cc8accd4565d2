"""Examples: what the generator is to learn, at most one for each answer."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from shammah import rows
from shammah.database import Database
from shammah.records import KeptExample, NewExample, State
from shammah.rows import new_id, now
from shammah_convert.chat import Message
from shammah_convert.examples import Example, Source

FEEDBACK_LIMIT = 100
TEACHER_LIMIT = 100
# Where a user said what is right, the teacher's plain answers to the same question have no say.
_OVERRULED = """EXISTS (
    SELECT 1 FROM examples said JOIN answers ours ON ours.id = said.answer
    JOIN answers theirs ON theirs.question = ours.question
    WHERE said.rating IS NOT NULL AND said.state = 'live' AND theirs.id = examples.answer)"""


class Examples:
    """The examples of a home."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def live(self, feedback_limit: int = FEEDBACK_LIMIT, teacher_limit: int = TEACHER_LIMIT) -> list[Example]:
        """What a training learns from, oldest first.

        Args:
            feedback_limit: Of the examples that come from ratings, so many of the newest.
            teacher_limit: Of the teacher's plain answers, so many of the newest.
        """
        chosen = [
            *self._newest("rating IS NOT NULL", feedback_limit),
            *self._newest(f"rating IS NULL AND NOT {_OVERRULED}", teacher_limit),
        ]
        return sorted((_kept(row).example for row in chosen), key=lambda example: (example.created, example.id))

    def _newest(self, clause: str, limit: int) -> Sequence[sqlite3.Row]:
        return self._db.execute(
            f"SELECT * FROM examples WHERE state = 'live' AND {clause} ORDER BY created DESC, rowid DESC LIMIT ?",
            (limit,),
        ).fetchall()

    def all(self) -> list[KeptExample]:
        """Every example in whatever state, oldest first."""
        return [_kept(row) for row in self._db.execute("SELECT * FROM examples ORDER BY created, rowid")]

    def find(self, id: str) -> KeptExample | None:
        """An example by its id, or by a beginning of it that fits no other."""
        found = self._db.execute(
            "SELECT * FROM examples WHERE substr(id, 1, ?) = ? LIMIT 2", (max(1, len(id)), id)
        ).fetchall()
        return _kept(found[0]) if len(found) == 1 else None

    def of_answer(self, answer: int) -> KeptExample | None:
        """The example that targets an answer."""
        row = self._db.execute("SELECT * FROM examples WHERE answer = ?", (answer,)).fetchone()
        return _kept(row) if row else None

    def fulfil(self, rating: int, completion: str, source: Source) -> bool:
        """Give a rating's example the target that it waits for; False where it waits no longer."""
        return self._change(
            "completion = ?, source = ?, state = 'live'",
            "rating = ? AND state = 'pending'",
            (_completion(completion), source, rating),
        )

    def edit(self, id: str, completion: str, weight: float) -> bool:
        """Replace target and weight of an example, which is then live and the user's; False where there is none."""
        return self._change(
            "completion = ?, weight = ?, source = 'user', state = 'live'",
            "id = ?",
            (_completion(completion), weight, id),
        )

    def drop(self, id: str) -> bool:
        """Take an example out for good; False where there is none."""
        return self._change("state = 'dropped'", "id = ?", (id,))

    def _change(self, changes: str, clause: str, values: tuple[Any, ...]) -> bool:
        with self._db.write() as db:
            return db.execute(f"UPDATE examples SET {changes} WHERE {clause}", values).rowcount > 0


def insert_example(db: sqlite3.Connection, example: NewExample, rating: int | None = None) -> None:
    """Record an example within a transaction, in the place of whatever targeted its answer."""
    delete_example(db, example.answer)
    state: State = "pending" if example.completion is None else "live"
    db.execute(
        "INSERT INTO examples (id, answer, prompt, completion, rejected, weight, source, state, created, rating)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            new_id(),
            example.answer,
            rows.dump_messages(example.prompt),
            _completion(example.completion),
            None if example.rejected is None else _completion(example.rejected),
            example.weight,
            example.source,
            state,
            now(),
            rating,
        ),
    )


def delete_example(db: sqlite3.Connection, answer: int) -> None:
    """Forget within a transaction whatever targeted an answer."""
    db.execute("DELETE FROM examples WHERE answer = ?", (answer,))


def _completion(text: str | None) -> str:
    return rows.dump_messages([] if text is None else [Message("assistant", text)])


def _kept(row: sqlite3.Row) -> KeptExample:
    example = Example(
        id=row["id"],
        prompt=rows.load_messages(row["prompt"]),
        completion=rows.load_messages(row["completion"]),
        rejected=None if row["rejected"] is None else rows.load_messages(row["rejected"]),
        weight=row["weight"],
        source=row["source"],
        created=row["created"],
    )
    return KeptExample(example, row["state"], row["rating"])
