"""Work for the background, as rows that survive whoever takes them."""

import json
import sqlite3
import time
from typing import Any

from shammah.database import Database
from shammah.records.jobs import Job
from shammah.rows import now

MOST_ATTEMPTS = 5
"""A job that ended its worker, or failed, so often is given up."""

LONGEST_WAIT_SECONDS = 3600.0
"""No job is told to wait longer: what waits for a later time was told so before the clock was set back."""

DUE = "(not_before <= :now OR not_before > :now + :longest)"
"""Of what waits for better times, whether they are here."""


class Jobs:
    """The jobs of a home."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def enqueue(self, kind: str, payload: dict[str, Any]) -> None:
        """Leave work for the background, once while the same work is still waiting."""
        with self._db.write() as db:
            insert_job(db, kind, payload)

    def waiting(self) -> list[Job]:
        """Jobs that may start now, oldest first."""
        found = self._db.execute(f"SELECT * FROM jobs WHERE state = 'queued' AND {DUE} ORDER BY id", clock())
        return [_job(row) for row in found]

    def standing(self) -> tuple[int, int, str]:
        """How many jobs wait, how many were given up, and why the last of those was."""
        waiting, failed = self._db.execute(
            "SELECT coalesce(sum(state = 'queued'), 0), coalesce(sum(state = 'failed'), 0) FROM jobs"
        ).fetchone()
        last = self._db.execute("SELECT error FROM jobs WHERE state = 'failed' ORDER BY id DESC LIMIT 1").fetchone()
        return int(waiting), int(failed), str(last["error"] or "") if last else ""

    def take(self, retry_seconds: float, most_attempts: int = MOST_ATTEMPTS) -> Job | None:
        """Start the oldest job that may start; one that kills its worker comes back later, and not for ever."""
        with self._db.write() as db:
            db.execute(
                "UPDATE jobs SET state = 'failed', finished = ?, error = coalesce(error, 'it ended its worker')"
                " WHERE state = 'queued' AND attempts >= ?",
                (now(), most_attempts),
            )
            row = db.execute(
                "UPDATE jobs SET attempts = attempts + 1, not_before = :now + :retry WHERE id = (SELECT id FROM jobs"
                f" WHERE state = 'queued' AND {DUE} ORDER BY id LIMIT 1) RETURNING *",
                clock() | {"retry": retry_seconds},
            ).fetchone()
        return _job(row) if row else None

    def finish(self, job: Job, error: str | None = None, retry_seconds: float | None = None) -> None:
        """Close a job: done, failed, or queued again after a while."""
        state = "queued" if retry_seconds is not None else "failed" if error else "done"
        with self._db.write() as db:
            db.execute(
                "UPDATE jobs SET state = ?, not_before = ?, finished = ?, error = ? WHERE id = ?",
                (state, time.time() + (retry_seconds or 0), now(), error, job.id),
            )

    def put_back(self, job: Job, reason: str, retry_seconds: float) -> None:
        """Let a job wait for better times: that was no attempt."""
        with self._db.write() as db:
            db.execute(
                "UPDATE jobs SET attempts = attempts - 1, not_before = ?, error = ? WHERE id = ?",
                (time.time() + retry_seconds, reason, job.id),
            )


def clock() -> dict[str, float]:
    """The values of `DUE`."""
    return {"now": time.time(), "longest": LONGEST_WAIT_SECONDS}


def insert_job(db: sqlite3.Connection, kind: str, payload: dict[str, Any]) -> None:
    """Leave work for the background within a transaction, once while the same work is still waiting."""
    text = json.dumps(payload, sort_keys=True)
    db.execute(
        "INSERT INTO jobs (kind, payload, state, created) SELECT ?, ?, 'queued', ?"
        " WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE kind = ? AND payload = ? AND state = 'queued')",
        (kind, text, now(), kind, text),
    )


def is_waiting(db: sqlite3.Connection, kind: str, payload: dict[str, Any]) -> bool:
    """Whether work is still to be done within a transaction, also where whoever began it was killed."""
    text = json.dumps(payload, sort_keys=True)
    row = db.execute(
        "SELECT 1 FROM jobs WHERE kind = ? AND payload = ? AND state = 'queued' AND attempts < ?",
        (kind, text, MOST_ATTEMPTS),
    ).fetchone()
    return row is not None


def _job(row: sqlite3.Row) -> Job:
    return Job(row["id"], row["kind"], json.loads(row["payload"]), row["attempts"])
