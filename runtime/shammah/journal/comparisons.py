"""Blind comparisons: which of two answers a user picked, with the example and the lessons that it makes."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from shammah.database import Database
from shammah.journal.examples import insert_example
from shammah.journal.lessons import NewLesson, insert_lessons
from shammah.records.examples import NewExample
from shammah.rows import now

Pick = Literal["first", "second", "both"]
"""`both`: one is as good as the other."""


@dataclass(frozen=True, slots=True)
class NewComparison:
    """Two answers as they were shown, and what was picked.

    Attributes:
        answers: Their ids.
        names: Who gave them.
        example: The picked one, preferred to the other; None where both are as good.
        lesson: What it tells of a local answer beside the teacher's; None between adapters.
    """

    answers: tuple[int, int]
    names: tuple[str, str]
    picked: Pick
    example: NewExample | None
    lesson: NewLesson | None


@dataclass(frozen=True, slots=True)
class Tally:
    """How often each of two was picked, and how often both were as good."""

    first: int
    second: int
    both: int


class Comparisons:
    """The comparisons of a home."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def record(self, new: NewComparison) -> None:
        """Commit a pick with all that follows from it."""
        with self._db.write() as db:
            db.execute(
                "INSERT INTO comparisons (created, first, second, first_name, second_name, picked)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (now(), *new.answers, *new.names, new.picked),
            )
            if new.example is not None:
                insert_example(db, new.example)
            if new.lesson is not None:
                insert_lessons(db, new.lesson)

    def tally(self, first: str, second: str) -> Tally:
        """All comparisons of two, whichever was shown first."""
        found = self._db.execute(
            "SELECT first_name, second_name, picked FROM comparisons"
            " WHERE (first_name = ? AND second_name = ?) OR (first_name = ? AND second_name = ?)",
            (first, second, second, first),
        )
        picks = Counter("" if row["picked"] == "both" else row[f"{row['picked']}_name"] for row in found)
        return Tally(picks[first], picks[second], picks[""])
