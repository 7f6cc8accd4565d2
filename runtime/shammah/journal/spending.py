"""What the teacher costs: reserved before a call, settled after it."""

import math
import sqlite3
import time
from collections.abc import Iterator
from typing import Literal

from shammah.database import Database
from shammah.records.questions import Question

Bound = Literal["day", "month"]
"""Which of two budgets a call would pass."""

MONTH = len("2026-11")
SUM = "SELECT total(usd) FROM spending WHERE day >= ? AND day < ?"
_BEHIND = "~"
"""Behind a day or month, this comes after all that begins with it, and before all later ones."""


def today() -> str:
    """The user's day, by the local clock."""
    return time.strftime("%Y-%m-%d")


class Spending:
    """The teacher's bill, by day.

    A clock that is set back opens no budget a second time: what counted on the later day goes on counting, until the
    clock goes forward to another one. One that was ten years ahead shuts a budget for a day, and not for ten years.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def usd_today(self) -> float:
        """What today's calls cost, reservations counted in full."""
        return self._usd(today())

    def usd_this_month(self) -> float:
        """What this month's calls cost, reservations counted in full."""
        return self._usd(today()[:MONTH])

    def passed(self, usd: float, day_usd: float, month_usd: float = math.inf) -> Bound | None:
        """Which budget a call would pass, the longer one first; None where it fits both."""
        bound = self._passed(usd, day_usd, month_usd)
        if bound is not None and self._newest() != today():
            with self._db.write() as db:
                _note_today(db)
        return bound

    def reserve(self, usd: float, day_usd: float, question: Question | None, month_usd: float = math.inf) -> int | None:
        """Set money aside for a call; None where the day's or the month's budget would be passed."""
        with self._db.write("ask.reservation") as db:
            if self._passed(usd, day_usd, month_usd) is not None:
                if self._newest() != today():
                    _note_today(db)
                return None
            return db.execute(
                "INSERT INTO spending (day, usd, question) VALUES (?, ?, ?)",
                (today(), usd, question.number if question else None),
            ).lastrowid

    def settle(self, reservation: int, usd: float) -> None:
        """Replace a reservation by what the call cost."""
        with self._db.write("ask.settlement") as db:
            db.execute("UPDATE spending SET usd = ?, is_settled = 1 WHERE id = ?", (usd, reservation))

    def _passed(self, usd: float, day_usd: float, month_usd: float) -> Bound | None:
        if not self.usd_this_month() + usd <= month_usd:  # what is no number fits nowhere
            return "month"
        return None if self.usd_today() + usd <= day_usd else "day"

    def _usd(self, period: str) -> float:
        """What calls of a day or a month cost, with those of later ones from which the clock was set back to it."""
        return sum(self._sum(one) for one in [period, *self._later(period)])

    def _sum(self, period: str) -> float:
        return float(self._db.execute(SUM, (period, period + _BEHIND)).fetchone()[0])

    def _later(self, period: str) -> Iterator[str]:
        """The days, or months, from the newest row back to the first from which the clock went forward."""
        later = self._db.execute("SELECT 1 FROM spending WHERE day >= ? LIMIT 1", (period + _BEHIND,))
        if later.fetchone() is None:  # no row need be looked at, as nearly always
            return
        last = period
        for row in self._db.execute("SELECT substr(day, 1, ?) FROM spending ORDER BY id DESC", (len(period),)):
            if row[0] < last:
                return
            if row[0] > last:
                yield row[0]
            last = row[0]

    def _newest(self) -> str:
        """The day of the newest row; empty where there is none."""
        row = self._db.execute("SELECT day FROM spending ORDER BY id DESC LIMIT 1").fetchone()
        return str(row["day"]) if row else ""


def _note_today(db: sqlite3.Connection) -> None:
    """Note, by a row that costs nothing, which day it is: a later one opens what is shut."""
    db.execute("INSERT INTO spending (day, usd, is_settled) VALUES (?, 0, 1)", (today(),))
