"""What the teacher costs: reserved before a call, settled after it."""

import math
import time
from typing import Literal

from shammah.database import Database
from shammah.records import Question

Bound = Literal["day", "month"]
"""Which of two budgets a call would pass."""


def today() -> str:
    """The user's day, by the local clock."""
    return time.strftime("%Y-%m-%d")


class Spending:
    """The teacher's bill, by day."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def usd_today(self) -> float:
        """What today's calls cost, reservations counted in full."""
        return self._usd(today(), today())

    def usd_this_month(self) -> float:
        """What this month's calls cost, reservations counted in full."""
        month = today()[:-2]
        return self._usd(f"{month}01", f"{month}31")

    def passed(self, usd: float, day_usd: float, month_usd: float = math.inf) -> Bound | None:
        """Which budget a call would pass, the longer one first; None where it fits both."""
        if self.usd_this_month() + usd > month_usd:
            return "month"
        return "day" if self.usd_today() + usd > day_usd else None

    def reserve(self, usd: float, day_usd: float, question: Question | None, month_usd: float = math.inf) -> int | None:
        """Set money aside for a call; None where the day's or the month's budget would be passed."""
        with self._db.write("ask.reservation") as db:
            if self.passed(usd, day_usd, month_usd) is not None:
                return None
            return db.execute(
                "INSERT INTO spending (day, usd, question) VALUES (?, ?, ?)",
                (today(), usd, question.number if question else None),
            ).lastrowid

    def settle(self, reservation: int, usd: float) -> None:
        """Replace a reservation by what the call cost."""
        with self._db.write("ask.settlement") as db:
            db.execute("UPDATE spending SET usd = ?, is_settled = 1 WHERE id = ?", (usd, reservation))

    def _usd(self, first: str, last: str) -> float:
        row = self._db.execute("SELECT coalesce(sum(usd), 0) FROM spending WHERE day BETWEEN ? AND ?", (first, last))
        return float(row.fetchone()[0])
