"""Models that are fetched in the background: one at a time, and none is forgotten when its process ends early."""

import sqlite3
import time

from shammah.database import Database
from shammah.journal.jobs import DUE, clock
from shammah.journal.notices import insert_notice
from shammah.records.bases import Pull
from shammah.rows import now


class Pulls:
    """What is fetched for a home."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def want(self, spec: str, title: str, size_bytes: int) -> Pull:
        """Want a model; one that is wanted already is the answer where there is one."""
        with self._db.write() as db:
            db.execute(
                "INSERT INTO pulls (created, spec, title, bytes, state) SELECT ?, ?, ?, ?, 'open'"
                " WHERE NOT EXISTS (SELECT 1 FROM pulls WHERE state = 'open')",
                (now(), spec, title, size_bytes),
            )
        wanted = self.open_one()
        assert wanted is not None, "it was inserted, or another was there"
        return wanted

    def open_one(self) -> Pull | None:
        """The model that is on its way."""
        return _pull(self._db.execute("SELECT * FROM pulls WHERE state = 'open' LIMIT 1").fetchone())

    def due(self) -> Pull | None:
        """The model that may be gone on with now."""
        found = self._db.execute(f"SELECT * FROM pulls WHERE state = 'open' AND {DUE} LIMIT 1", clock())
        return _pull(found.fetchone())

    def advance(self, pull: Pull, done_bytes: int, size_bytes: int) -> None:
        """Record how far it came, and how large it really is."""
        with self._db.write() as db:
            db.execute(
                "UPDATE pulls SET done_bytes = ?, bytes = ? WHERE number = ?", (done_bytes, size_bytes, pull.number)
            )

    def postpone(self, pull: Pull, error: str, seconds: float) -> None:
        """Let it wait for better times."""
        with self._db.write() as db:
            db.execute(
                "UPDATE pulls SET attempts = attempts + 1, not_before = ?, error = ? WHERE number = ?",
                (time.time() + seconds, error, pull.number),
            )

    def close(self, pull: Pull, notice: str, error: str | None = None) -> None:
        """Record that it is here, or that it will not come, with a line for the next command to say."""
        with self._db.write() as db:
            changed = db.execute(
                "UPDATE pulls SET state = ?, finished = ?, error = ? WHERE number = ? AND state = 'open'",
                ("done" if error is None else "failed", now(), error, pull.number),
            )
            if changed.rowcount:
                insert_notice(db, notice)

    def cancel(self, pull: Pull) -> None:
        """Want it no longer."""
        with self._db.write() as db:
            db.execute(
                "UPDATE pulls SET state = 'cancelled', finished = ? WHERE number = ? AND state = 'open'",
                (now(), pull.number),
            )


def _pull(row: sqlite3.Row | None) -> Pull | None:
    return Pull(**{name: row[name] for name in Pull.__slots__}) if row else None
