"""Trainings: each attempt to make an adapter, from the queue to its end."""

import sqlite3
from collections.abc import Sequence

from shammah.database import Database
from shammah.journal.adapters import activate, insert_adapter
from shammah.journal.jobs import insert_job, is_waiting
from shammah.records.adapters import Adapter, Training, TrainingState
from shammah.rows import now

TRAIN_JOB = "train"
PROMOTION = "training {}"
"""Why an adapter was made active, where a training was the reason."""

OPEN = ("queued", "running", "evaluated")
_MARKS = ", ".join("?" * len(OPEN))


class Trainings:
    """The trainings of a home; at most one of them is open."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def queue(self, base: str, is_automatic: bool, is_forced: bool, most_memory_bytes: int = 0) -> Training | None:
        """Leave a training for the background; None where one is open already."""
        with self._db.write() as db:
            if self.open_one() is not None:
                return None
            number = _insert(db, base, "queued", is_automatic, is_forced, most_memory_bytes)
            insert_job(db, TRAIN_JOB, {"training": number})
        return self.at(number)

    def begin(self, base: str, is_forced: bool, most_memory_bytes: int = 0) -> Training | None:
        """Begin a training that somebody waits for; None where one is open already."""
        with self._db.write("training") as db:
            if self.open_one() is not None:
                return None
            number = _insert(db, base, "running", False, is_forced, most_memory_bytes)
        return self.at(number)

    def at(self, number: int) -> Training:
        """A training by its number."""
        return _training(self._db.execute("SELECT * FROM trainings WHERE number = ?", (number,)).fetchone())

    def open_one(self) -> Training | None:
        """The training that is queued or under way."""
        row = self._db.execute(
            f"SELECT * FROM trainings WHERE state IN ({_MARKS}) ORDER BY number DESC LIMIT 1", OPEN
        ).fetchone()
        return _training(row) if row else None

    def last(self) -> Training | None:
        """The newest training, however it went."""
        row = self._db.execute("SELECT * FROM trainings ORDER BY number DESC LIMIT 1").fetchone()
        return _training(row) if row else None

    def last_decided(self) -> Training | None:
        """The newest training whose candidate was taken or refused."""
        row = self._db.execute(
            "SELECT * FROM trainings WHERE state IN ('promoted', 'refused') ORDER BY number DESC LIMIT 1"
        ).fetchone()
        return _training(row) if row else None

    def start(self, training: Training, learnt: Sequence[str], held_out: Sequence[str] = ()) -> bool:
        """Record that a training is under way, and the examples that it has seen; False where it is over already."""
        rows = [(training.number, id, True) for id in learnt] + [(training.number, id, False) for id in held_out]
        with self._db.write("training.start") as db:
            started = db.execute(
                f"UPDATE trainings SET state = 'running' WHERE number = ? AND state IN ({_MARKS})",
                (training.number, *OPEN),
            )
            if started.rowcount == 1:
                db.execute("DELETE FROM trained_examples WHERE training = ?", (training.number,))
                db.executemany("INSERT INTO trained_examples VALUES (?, ?, ?)", rows)
        return started.rowcount == 1

    def take_over(self, training: Training, is_forced: bool) -> None:
        """Let a queued training be one that somebody waits for."""
        with self._db.write() as db:
            db.execute(
                "UPDATE trainings SET is_automatic = 0, is_forced = is_forced OR ? WHERE number = ?",
                (is_forced, training.number),
            )

    def bound_memory(self, training: Training, most_memory_bytes: int) -> bool:
        """Let a training that has not begun take no more than this; whether it had not."""
        with self._db.write() as db:
            changed = db.execute(
                "UPDATE trainings SET most_memory_bytes = ? WHERE number = ? AND state = 'queued'",
                (most_memory_bytes, training.number),
            )
        return changed.rowcount == 1

    def note(self, training: Training, state: TrainingState, reason: str = "") -> None:
        """Record how far an open training is, or how it ended without an adapter."""
        finished = None if state in OPEN else now()
        with self._db.write(f"training.{state}") as db:
            db.execute(
                f"UPDATE trainings SET state = ?, reason = ?, finished = ? WHERE number = ? AND state IN ({_MARKS})",
                (state, reason, finished, training.number, *OPEN),
            )

    def promote(self, training: Training, adapter: Adapter) -> None:
        """Record a training's adapter and make it the active one, all or nothing."""
        with self._db.write("promotion") as db:
            insert_adapter(db, adapter)
            activate(db, adapter.base, ((adapter.name, 1.0),), PROMOTION.format(training.number))
            db.execute(
                "UPDATE trainings SET state = 'promoted', adapter = ?, finished = ? WHERE number = ?",
                (adapter.name, now(), training.number),
            )

    def reopen(self, training: Training, is_forced: bool) -> bool:
        """Let a training that was cut off be under way again, for somebody who waits; False where another is open."""
        with self._db.write() as db:
            if self.open_one() is not None:
                return False
            reopened = db.execute(
                "UPDATE trainings SET state = 'running', reason = '', finished = NULL, is_automatic = 0,"
                " is_forced = is_forced OR ? WHERE number = ? AND state IN ('failed', 'cancelled')",
                (is_forced, training.number),
            )
        return reopened.rowcount == 1

    def settle_abandoned(self, but: Training | None = None) -> None:
        """Close what a killed parent left open, or queue it again where a job of the background still waits to do it.

        Only whoever holds the training lock may say so.
        """
        with self._db.write() as db:
            rows = db.execute(
                "SELECT number FROM trainings WHERE state IN ('running', 'evaluated') AND number IS NOT ?",
                (but.number if but else None,),
            ).fetchall()
            for (number,) in rows:
                again = is_waiting(db, TRAIN_JOB, {"training": number})
                values = ("queued", None, "") if again else ("failed", now(), "its process was killed")
                db.execute(
                    "UPDATE trainings SET state = ?, finished = ?, reason = ? WHERE number = ?", (*values, number)
                )

    def learnt(self) -> set[str]:
        """Ids of all examples that any attempt has learnt from."""
        found = self._db.execute("SELECT DISTINCT example FROM trained_examples WHERE is_learnt")
        return {row["example"] for row in found}

    def unseen(self, examples: Sequence[str]) -> int:
        """How many examples, by id, no attempt has learnt from yet."""
        seen = {row["example"] for row in self._db.execute("SELECT DISTINCT example FROM trained_examples")}
        return len(set(examples) - seen)


def _insert(
    db: sqlite3.Connection,
    base: str,
    state: TrainingState,
    is_automatic: bool,
    is_forced: bool,
    most_memory_bytes: int,
) -> int:
    number = db.execute(
        "INSERT INTO trainings (created, base, state, is_automatic, is_forced, most_memory_bytes)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (now(), base, state, is_automatic, is_forced, most_memory_bytes),
    ).lastrowid
    assert number is not None
    return number


def _training(row: sqlite3.Row) -> Training:
    values = dict(row)
    for name in ("is_automatic", "is_forced"):
        values[name] = bool(values[name])
    return Training(**values)
