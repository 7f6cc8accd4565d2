"""What heads learn from: which lessons count, what a new base takes over from earlier ones, and re-fits."""

import json
import sqlite3
from collections.abc import Mapping

from shammah.database import Database
from shammah.records.heads import Adoption, Fit, View
from shammah.rows import now

REFIT_JOB = "refit"
REFIT_LESSONS = 32
"""After so many new lessons the heads are re-fitted in the background."""

MOST_QUESTIONS_TAKEN_OVER = 50
"""The question at which a new base's phases start, where earlier bases have answered as many."""


class HeadRows:
    """The heads of a home, as far as the journal knows them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def view(self, lineage: str, head: str) -> View:
        """Which lessons a head learns from now."""
        row = self._db.execute(
            "SELECT * FROM head_views WHERE lineage = ? AND head = ? ORDER BY number DESC LIMIT 1", (lineage, head)
        ).fetchone()
        if row is None:
            return View()
        spans = tuple((after, until) for after, until in json.loads(row["spans"]))
        return View(row["number"], spans, bool(row["inherits"]))

    def change(self, lineage: str, views: Mapping[str, View], why: str) -> None:
        """Let heads learn from other lessons from now on."""
        with self._db.write() as db:
            insert_views(db, lineage, views, why)

    def adopt(self, lineage: str) -> Adoption | None:
        """Let a base that has seen nothing yet take over what earlier ones left; None where there is nothing to do."""
        if not _may_adopt(self._db, lineage):
            return None
        with self._db.write() as db:
            if not _may_adopt(db, lineage):  # another process was faster
                return None
            questions = min(MOST_QUESTIONS_TAKEN_OVER, _counted_elsewhere(db, lineage))
            until = int(db.execute("SELECT max(id) FROM lessons").fetchone()[0])
            db.execute("INSERT INTO adoptions VALUES (?, ?, ?, ?)", (lineage, now(), until, questions))
        return Adoption(until, questions)

    def may_adopt(self, lineage: str) -> bool:
        """Whether a base would take over something with its first question."""
        return _may_adopt(self._db, lineage)

    def adoption(self, lineage: str) -> Adoption | None:
        """What a base took over; None where it was the first."""
        row = self._db.execute("SELECT until, questions FROM adoptions WHERE lineage = ?", (lineage,)).fetchone()
        return Adoption(*row) if row else None

    def note_refit(self, lineage: str, head: str, fit: Fit) -> None:
        """Record a re-fit."""
        with self._db.write() as db:
            db.execute(
                "INSERT INTO refits (created, lineage, head, lessons, last_lesson, early_loss, late_loss)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (now(), lineage, head, fit.lessons, fit.last_lesson, fit.early_loss, fit.late_loss),
            )

    def last_fit(self, lineage: str, head: str) -> Fit | None:
        """A head's newest re-fit."""
        row = self._db.execute(
            "SELECT lessons, last_lesson, early_loss, late_loss FROM refits WHERE lineage = ? AND head = ?"
            " ORDER BY number DESC LIMIT 1",
            (lineage, head),
        ).fetchone()
        return Fit(*row) if row else None

    def is_refit_due(self, lineage: str, head: str) -> bool:
        """Whether enough lessons came since the last re-fit."""
        fit = self.last_fit(lineage, head)
        row = self._db.execute(
            "SELECT count(*) FROM lessons WHERE lineage = ? AND head = ? AND id > ?",
            (lineage, head, fit.last_lesson if fit else 0),
        ).fetchone()
        return int(row[0]) >= REFIT_LESSONS


def insert_views(db: sqlite3.Connection, lineage: str, views: Mapping[str, View], why: str) -> None:
    """Let heads learn from other lessons, within a transaction."""
    for head, view in views.items():
        db.execute(
            "INSERT INTO head_views (created, lineage, head, spans, inherits, why) VALUES (?, ?, ?, ?, ?, ?)",
            (now(), lineage, head, json.dumps(view.spans), view.inherits, why),
        )


def _may_adopt(db: Database | sqlite3.Connection, lineage: str) -> bool:
    """Whether a base has seen nothing yet, and others have."""
    row = db.execute(
        "SELECT EXISTS (SELECT 1 FROM lessons WHERE lineage != ?)"
        " AND NOT EXISTS (SELECT 1 FROM adoptions WHERE lineage = ?)"
        " AND NOT EXISTS (SELECT 1 FROM lessons WHERE lineage = ?)"
        " AND NOT EXISTS (SELECT 1 FROM questions WHERE lineage = ? AND is_counted)",
        (lineage,) * 4,
    ).fetchone()
    return bool(row[0])


def _counted_elsewhere(db: sqlite3.Connection, lineage: str) -> int:
    row = db.execute("SELECT count(*) FROM questions WHERE is_counted AND lineage != ?", (lineage,))
    return int(row.fetchone()[0])
