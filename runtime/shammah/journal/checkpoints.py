"""Checkpoints, as far as the journal knows them: what is there, and going back to one."""

import sqlite3
from collections.abc import Mapping

from shammah.database import Database
from shammah.generation import ActiveSet
from shammah.journal.adapters import activate, active_set, newest_activation
from shammah.journal.heads import insert_views
from shammah.records.heads import Checkpoint, View
from shammah.rows import now

CHECKPOINT_JOB = "checkpoint"
CHECKPOINT_QUESTIONS = 100
"""After so many questions of a base the worker makes one."""


class Checkpoints:
    """The checkpoints of a home."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def all(self, lineage: str | None = None) -> list[Checkpoint]:
        """The checkpoints of a base, or of all, newest first."""
        found = self._db.execute(
            "SELECT * FROM checkpoints WHERE lineage = coalesce(?, lineage) ORDER BY number DESC", (lineage,)
        )
        return [_checkpoint(row) for row in found]

    def find(self, number: int) -> Checkpoint | None:
        """A checkpoint by its number."""
        row = self._db.execute("SELECT * FROM checkpoints WHERE number = ?", (number,)).fetchone()
        return _checkpoint(row) if row else None

    def next_number(self) -> int:
        """The number of the next one."""
        return int(self._db.execute("SELECT coalesce(max(number), 0) + 1 FROM checkpoints").fetchone()[0])

    def record(self, number: int, lineage: str, questions: int, why: str, folder: str) -> Checkpoint:
        """Name a checkpoint whose files are whole."""
        with self._db.write("checkpoint") as db:
            db.execute(
                "INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?)", (number, now(), lineage, questions, why, folder)
            )
        found = self.find(number)
        assert found is not None
        return found

    def forget(self, checkpoint: Checkpoint) -> None:
        """Name a checkpoint no longer; its files may go then."""
        with self._db.write("checkpoint.forgetting") as db:
            db.execute("DELETE FROM checkpoints WHERE number = ?", (checkpoint.number,))

    def go_back(self, lineage: str, views: Mapping[str, View], active: ActiveSet, why: str) -> None:
        """Record what the heads learn from and which adapters serve from now on, all or nothing."""
        with self._db.write("rollback.checkpoint") as db:
            insert_views(db, lineage, views, why)
            newest = newest_activation(db, lineage)
            if (active_set(newest) if newest else ()) != active:
                activate(db, lineage, active, why)


def _checkpoint(row: sqlite3.Row) -> Checkpoint:
    return Checkpoint(**dict(row))
