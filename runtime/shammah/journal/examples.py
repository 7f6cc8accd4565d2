"""Examples: what the generator is to learn, at most one for each answer."""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from shammah import rows
from shammah.database import Database
from shammah.privacy import says_the_same
from shammah.quarantine import OUTSIDE
from shammah.records.examples import KeptExample, NewExample, State
from shammah.records.questions import Question
from shammah.rows import new_id, now
from shammah_convert.chat import Message
from shammah_convert.examples import Example, Source

# What a user said, by a rating or by hand, as SQL.
_FROM_USER = "(rating IS NOT NULL OR source = 'user')"
# What nobody here said: each door by itself, so that none pushes another's out.
_FROM_DOORS = " OR ".join(f"source = '{door}'" for door in OUTSIDE)
# Where a user said what is right, the teacher's plain answers to the same question have no say.
_OVERRULED = """EXISTS (
    SELECT 1 FROM examples said JOIN answers ours ON ours.id = said.answer
    JOIN answers theirs ON theirs.question = ours.question
    WHERE (said.rating IS NOT NULL OR said.source = 'user') AND said.state = 'live' AND theirs.id = examples.answer)"""


class Examples:
    """The examples of a home."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def live(self, feedback_limit: int | None = None, teacher_limit: int | None = None) -> list[Example]:
        """What a training learns from, oldest first; never an answer that was rejected for the same conversation.

        Args:
            feedback_limit: Of the examples that come from users, so many of the newest; None for all.
            teacher_limit: Of the teacher's plain answers, so many of the newest; as many of each door's.
        """
        rejections = self._rejections()
        chosen = [
            *self._newest(_FROM_USER, feedback_limit, rejections),
            *self._newest(f"NOT {_FROM_USER} AND NOT ({_FROM_DOORS}) AND NOT {_OVERRULED}", teacher_limit, rejections),
            *(
                row
                for door in OUTSIDE
                for row in self._newest(f"source = '{door}' AND rating IS NULL", teacher_limit, rejections)
            ),
        ]
        return [_kept(row).example for row in sorted(chosen, key=lambda row: int(row["rowid"]))]

    def _newest(
        self, clause: str, limit: int | None, rejections: Mapping[str, Sequence[sqlite3.Row]]
    ) -> list[sqlite3.Row]:
        found = self._db.execute(f"SELECT rowid, * FROM examples WHERE state = 'live' AND {clause} ORDER BY rowid DESC")
        return list(islice((row for row in found if not _is_rejected(row, rejections[row["prompt"]])), limit))

    def _rejections(self) -> Mapping[str, Sequence[sqlite3.Row]]:
        """What was ever rejected, by conversation."""
        by_prompt: dict[str, list[sqlite3.Row]] = defaultdict(list)
        for row in self._db.execute("SELECT rowid, * FROM examples WHERE rejected IS NOT NULL"):
            by_prompt[row["prompt"]].append(row)
        return by_prompt

    def all(self) -> list[KeptExample]:
        """Every example in whatever state, oldest first."""
        return [_kept(row) for row in self._db.execute("SELECT * FROM examples ORDER BY rowid")]

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

    def question(self, id: str) -> Question | None:
        """The question that an example is to answer; None where the example is gone."""
        row = self._db.execute(
            "SELECT q.* FROM examples e JOIN answers a ON a.id = e.answer JOIN questions q ON q.number = a.question"
            " WHERE e.id = ?",
            (id,),
        ).fetchone()
        return rows.to_question(row) if row else None

    def fulfil(self, rating: int, completion: str, source: Source) -> bool:
        """Give a rating's example the target that it waits for; False where it waits no longer."""
        return self._change(
            "completion = ?, source = ?, state = 'live'",
            "rating = ? AND state = 'pending'",
            (_completion(completion), source, rating),
        )

    def edit(self, id: str, completion: str, weight: float) -> bool:
        """Replace a target, which is then live and the user's; False where there is none, or it is dropped."""
        return self._change(
            "completion = ?, weight = ?, source = 'user', state = 'live'",
            "id = ? AND state != 'dropped'",
            (_completion(completion), weight, id),
        )

    def weigh(self, id: str, weight: float) -> bool:
        """Change an example's weight alone; False where there is none, or it is dropped."""
        return self._change("weight = ?", "id = ? AND state != 'dropped'", (weight, id))

    def drop(self, id: str) -> bool:
        """Take an example out; only another rating of its answer brings one back. False where there is none."""
        return self._change("state = 'dropped'", "id = ?", (id,))

    def _change(self, changes: str, clause: str, values: tuple[Any, ...]) -> bool:
        with self._db.write("example") as db:
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


def _is_rejected(row: sqlite3.Row, rejections: Sequence[sqlite3.Row]) -> bool:
    """Whether a target was rejected by someone, and not called right by a user since."""
    return any(
        says_the_same(_said(rejection["rejected"]), _said(row["completion"]))
        and (row["rating"] is None or rejection["rowid"] >= row["rowid"])
        for rejection in rejections
    )


def _said(messages: str) -> str:
    return "".join(message.content for message in rows.load_messages(messages))


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
