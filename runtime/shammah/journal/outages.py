"""How often in a row a teacher was out of reach: kept here, as a command lives for one question."""

import sqlite3

from shammah.breaker import MOST_FAILURES, Outage
from shammah.database import Database


class Outages:
    """The outages of the teachers that were asked, each by its model's name."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, teacher: str) -> Outage:
        """How it stands with a teacher."""
        row = self._db.execute("SELECT * FROM outages WHERE teacher = ?", (teacher,)).fetchone()
        return _outage(row)

    def enter(self, teacher: str, now: float) -> Outage | None:
        """The outage that keeps a call from being made; None where it may be, after a pause by one caller alone."""
        if self.of(teacher).failures < MOST_FAILURES:
            return None
        with self._db.write() as db:
            outage = _outage(db.execute("SELECT * FROM outages WHERE teacher = ?", (teacher,)).fetchone())
            if outage.is_pausing(now):
                return outage
            if outage.failures >= MOST_FAILURES:  # else somebody has reached it meanwhile
                _put(db, teacher, outage.on_trial(now))
        return None

    def note(self, teacher: str, is_away: bool, now: float) -> None:
        """Note what came of a call: it was out of reach, or it was there, whatever it said."""
        if not is_away and not self.of(teacher).failures:
            return
        with self._db.write() as db:
            if is_away:
                row = db.execute("SELECT * FROM outages WHERE teacher = ?", (teacher,)).fetchone()
                _put(db, teacher, _outage(row).after_failure(now))
            else:
                db.execute("DELETE FROM outages WHERE teacher = ?", (teacher,))


def _outage(row: sqlite3.Row | None) -> Outage:
    return Outage(row["failures"], row["since"], row["until"]) if row else Outage()


def _put(db: sqlite3.Connection, teacher: str, outage: Outage) -> None:
    values = (teacher, outage.failures, outage.since, outage.until)
    db.execute("INSERT OR REPLACE INTO outages (teacher, failures, since, until) VALUES (?, ?, ?, ?)", values)
