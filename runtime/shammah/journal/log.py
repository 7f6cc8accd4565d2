"""The log: which questions were asked, found by when, by whom they were answered, and what was said of it."""

import json
import sqlite3
from dataclasses import dataclass

from shammah import rows
from shammah.database import Database
from shammah.records.questions import Question, Seen

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

    def asked(self, lineage: str) -> int:
        """How many questions of a base lineage there are."""
        row = self._db.execute("SELECT count(*) FROM questions WHERE lineage = ?", (lineage,))
        return int(row.fetchone()[0])

    def embedded(self, but: Question) -> list[Seen]:
        """All other questions of the same base that have an embedding, with how their local answers turned out last.

        Another base's answers tell nothing of this one's.
        """
        found = self._db.execute(
            "SELECT q.id, q.text, q.embedding, taught.is_good FROM questions q LEFT JOIN (SELECT question, is_good,"
            " max(id) FROM lessons WHERE head = 'router' GROUP BY question) taught ON taught.question = q.number"
            " WHERE q.embedding IS NOT NULL AND q.number != ? AND q.lineage = ? ORDER BY q.number",
            (but.number, but.lineage),
        )
        return [_seen(row) for row in found]


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


def _seen(row: sqlite3.Row) -> Seen:
    embedding = rows.vector(row["embedding"])
    assert embedding is not None, "the query asks for those that have one"
    return Seen(row["id"], row["text"], embedding, None if row["is_good"] is None else bool(row["is_good"]))
