"""The log: which questions were asked, found by when, by whom they were answered, and what was said of it."""

import json
from dataclasses import dataclass

from shammah import rows
from shammah.database import Database
from shammah.records import Question

# The last rating of the shown answer of a question.
_RATING = """(SELECT r.rating FROM answers a JOIN ratings r ON r.answer = a.id
    WHERE a.question = q.number AND a.is_shown ORDER BY r.id DESC LIMIT 1)"""
_SHOWN = "EXISTS (SELECT 1 FROM answers a WHERE a.question = q.number AND a.is_shown AND {})"
_WORD = (
    "(q.text LIKE ? ESCAPE '\\' OR EXISTS (SELECT 1 FROM answers a WHERE a.question = q.number AND a.is_shown"
    " AND a.text LIKE ? ESCAPE '\\'))"
)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which questions are meant; what is empty leaves all of them in.

    Attributes:
        words: All of them stand in the question or in the shown answer.
        since: The first moment, as the journal writes it.
        until: The first moment that is too late.
        side: That answered.
        reason: Why it did.
        rating: The last one of the shown answer.
        adapter: That was applied for the shown answer.
    """

    words: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    side: str = ""
    reason: str = ""
    rating: str = ""
    adapter: str = ""


EVERYTHING = Filter()


class Log:
    """The questions of a home."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def find(self, limit: int | None = None, wanted: Filter = EVERYTHING) -> list[Question]:
        """The newest questions first; None finds all of them."""
        clause, values = _where(wanted)
        found = self._db.execute(
            f"SELECT q.* FROM questions q WHERE {clause} ORDER BY q.number DESC LIMIT ?",
            (*values, -1 if limit is None else limit),
        )
        return [rows.to_question(row) for row in found]


def _where(wanted: Filter) -> tuple[str, list[str]]:
    """The filter as SQL, with its values."""
    clauses, values = ["1"], list[str]()
    for word in wanted.words:
        clauses.append(_WORD)
        values += [like(word)] * 2
    for clause, value in (
        ("q.created >= ?", wanted.since),
        ("q.created < ?", wanted.until),
        (_SHOWN.format("a.side = ?"), wanted.side),
        (_SHOWN.format("a.reason = ?"), wanted.reason),
        (f"{_RATING} = ?", wanted.rating),
        (_SHOWN.format("a.adapters LIKE ? ESCAPE '\\'"), _as_applied(wanted.adapter)),
    ):
        if value:
            clauses.append(clause)
            values.append(value)
    return " AND ".join(clauses), values


def _as_applied(adapter: str) -> str:
    """How an adapter stands among those that were applied for an answer."""
    return like(f"[{json.dumps(adapter)}, ") if adapter else ""


def like(word: str) -> str:
    """A pattern of LIKE that finds a text anywhere, sign by sign."""
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
