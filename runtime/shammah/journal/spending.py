"""What the teacher costs: reserved before a call, settled after it."""

import time

from shammah.database import Database
from shammah.records import Question


def today() -> str:
    """The user's day, by the local clock."""
    return time.strftime("%Y-%m-%d")


class Spending:
    """The teacher's bill, by day."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def usd_today(self) -> float:
        """What today's calls cost, reservations counted in full."""
        row = self._db.execute("SELECT coalesce(sum(usd), 0) FROM spending WHERE day = ?", (today(),))
        return float(row.fetchone()[0])

    def reserve(self, usd: float, limit_usd: float, question: Question) -> int | None:
        """Set money aside for a call; None where the day's limit would be passed."""
        with self._db.write() as db:
            if self.usd_today() + usd > limit_usd:
                return None
            return db.execute(
                "INSERT INTO spending (day, usd, question) VALUES (?, ?, ?)", (today(), usd, question.number)
            ).lastrowid

    def settle(self, reservation: int, usd: float) -> None:
        """Replace a reservation by what the call cost."""
        with self._db.write() as db:
            db.execute("UPDATE spending SET usd = ?, is_settled = 1 WHERE id = ?", (usd, reservation))
