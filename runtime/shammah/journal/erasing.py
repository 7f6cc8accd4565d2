"""Erasing: questions with all that was derived from them, so that no page of the file holds their words any more."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shammah import rows
from shammah.database import Database
from shammah.journal.adapters import let_go_of_answers
from shammah.privacy import PLACEHOLDER
from shammah_convert.chat import Message

KEPT = ("spending", "bases", "pulls")
"""Money that was spent stays spent, without the question; models, also those on their way, are nobody's words."""

KEPT_FLAGS = ("model_offered",)
"""Whoever did not want a model is not asked again, and whoever wanted one gets it."""

CHUNK = 500
"""Of values in one statement: SQLite takes 999 at least."""

Said = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Doomed:
    """Rows that go together.

    Attributes:
        questions: Their numbers, with those that went on from them and hold their words.
        followers: How many of them did.
        ids: Of the questions, as people see them.
        examples: Ids of what was to be learnt from their answers.
        first_lesson: The id of the first lesson that they taught; 0 where there was none.
    """

    questions: tuple[int, ...]
    followers: int
    ids: tuple[str, ...]
    answers: int
    examples: tuple[str, ...]
    ratings: int
    lessons: int
    first_lesson: int


class Erasing:
    """What can be erased from a journal."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def doom(self, questions: Iterable[int]) -> Doomed:
        """What goes with some questions; nothing is erased yet."""
        chosen = set(questions)
        followers = self._followers(chosen)
        numbers = sorted(chosen | followers)
        answers = self._column("SELECT id FROM answers WHERE question IN ({})", numbers)
        lessons = self._column("SELECT id FROM lessons WHERE question IN ({})", numbers)
        return Doomed(
            questions=tuple(numbers),
            followers=len(followers),
            ids=tuple(self._column("SELECT id FROM questions WHERE number IN ({})", numbers)),
            answers=len(answers),
            examples=tuple(self._column("SELECT id FROM examples WHERE answer IN ({})", answers)),
            ratings=len(self._column("SELECT id FROM ratings WHERE answer IN ({})", answers)),
            lessons=len(lessons),
            first_lesson=min(map(int, lessons), default=0),
        )

    def trainings(self, examples: Sequence[str]) -> list[int]:
        """The trainings that saw some examples, to learn them or to compare."""
        found = self._column("SELECT training FROM trained_examples WHERE example IN ({})", examples)
        return sorted(set(map(int, found)))

    def learnt_by(self, examples: Sequence[str]) -> list[str]:
        """Names of the adapters that learnt from some examples, oldest first."""
        trainings = set(
            self._column("SELECT training FROM trained_examples WHERE is_learnt AND example IN ({})", examples)
        )
        rows = self._db.execute("SELECT name, training FROM adapters ORDER BY rowid")
        return [row["name"] for row in rows if row["training"] in trainings]

    def lineages(self) -> list[str]:
        """The bases whose heads have lessons to learn from."""
        return [row["lineage"] for row in self._db.execute("SELECT DISTINCT lineage FROM lessons")]

    def erase(self, doomed: Doomed) -> None:
        """Erase questions and whatever refers to them, all or nothing."""
        answers = self._column("SELECT id FROM answers WHERE question IN ({})", doomed.questions)
        ratings = self._column("SELECT id FROM ratings WHERE answer IN ({})", answers)
        with self._db.write("erase") as db:
            _delete_jobs(db, {"question": set(doomed.questions), "answer": set(answers), "rating": set(ratings)})
            for id in doomed.ids:
                db.execute("DELETE FROM notices WHERE instr(text, ?)", (id,))
            _delete(db, "questions", "number", doomed.questions)
            _let_go_of_lessons(db)
            let_go_of_answers(db)

    def erase_everything(self) -> None:
        """Erase all rows but those of money and of models, all or nothing."""
        with self._db.write("erase") as db:
            db.execute("PRAGMA defer_foreign_keys = ON")
            db.execute("UPDATE spending SET question = NULL")
            db.execute(f"DELETE FROM flags WHERE name NOT IN ({', '.join('?' * len(KEPT_FLAGS))})", KEPT_FLAGS)
            for table in _tables(db):
                if table not in (*KEPT, "flags"):
                    db.execute(f"DELETE FROM {table}")

    def compact(self) -> None:
        """Write the file anew, without free pages: what was deleted long ago may still stand in them.

        Raises:
            JournalError: There is no room for a second file beside it, or another process reads it all the time.
        """
        self._db.execute("VACUUM")

    def _followers(self, chosen: set[int]) -> set[int]:
        """Questions that went on from the chosen ones: their context holds those words."""
        answers: dict[int, set[str]] = defaultdict(set)
        for row in self._db.execute("SELECT question, text FROM answers"):
            answers[row["question"]].add(_plain(row["text"]))
        begun: dict[Said, set[str]] = defaultdict(set)
        contexts = {
            row["number"]: _said(rows.load_messages(row["context"]))
            for row in self._db.execute("SELECT number, context FROM questions")
        }
        for number in chosen & contexts.keys():
            begun[contexts[number]] |= answers[number]
        return {number for number, said in contexts.items() if number not in chosen and _goes_on(said, begun)}

    def _column(self, statement: str, values: Sequence[object]) -> list[str]:
        """The first column of all rows that a statement finds for its values."""
        return [row[0] for part, marks in _chunks(values) for row in self._db.execute(statement.format(marks), part)]


def _said(context: Sequence[Message]) -> Said:
    """A conversation without its instructions, whatever its placeholders are numbered."""
    return tuple((message.role, _plain(message.content)) for message in context if message.role != "system")


def _plain(text: str) -> str:
    return PLACEHOLDER.sub("<SECRET>", text)


def _goes_on(said: Said, begun: dict[Said, set[str]]) -> bool:
    """Whether a conversation begins as another one did, with an answer that was given there."""
    return any(said[place][1] in begun.get(said[:place], ()) for place in range(1, len(said)))


def _delete(db: sqlite3.Connection, table: str, column: str, values: Sequence[object]) -> None:
    """Delete rows, and before them all rows of any table that refer to them."""
    for child, reference, target in _children(db, table):
        for part, marks in _chunks(values):
            found = [row[0] for row in db.execute(f"SELECT {target} FROM {table} WHERE {column} IN ({marks})", part)]
            if child in KEPT:
                for some, places in _chunks(found):
                    db.execute(f"UPDATE {child} SET {reference} = NULL WHERE {reference} IN ({places})", some)
            elif child != table:
                _delete(db, child, reference, found)
    for part, marks in _chunks(values):
        db.execute(f"DELETE FROM {table} WHERE {column} IN ({marks})", part)


def _children(db: sqlite3.Connection, table: str) -> list[tuple[str, str, str]]:
    """(table, its column, the column here) of every reference to a table."""
    return [
        (child, row["from"], row["to"])
        for child in _tables(db)
        for row in db.execute(f"PRAGMA foreign_key_list({child})").fetchall()
        if row["table"] == table
    ]


def _tables(db: sqlite3.Connection) -> list[str]:
    found = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return [row["name"] for row in found.fetchall()]


def _delete_jobs(db: sqlite3.Connection, doomed: dict[str, set[object]]) -> None:
    """Delete work that is about what goes."""
    for row in db.execute("SELECT id, payload FROM jobs").fetchall():
        payload = json.loads(row["payload"])
        if any(payload.get(key) in ids for key, ids in doomed.items()):
            db.execute("DELETE FROM jobs WHERE id = ?", (row["id"],))


def _let_go_of_lessons(db: sqlite3.Connection) -> None:
    """Let nothing point behind the last lesson: SQLite gives the numbers of deleted ones to new ones."""
    last = int(db.execute("SELECT coalesce(max(id), 0) FROM lessons").fetchone()[0])
    for row in db.execute("SELECT number, spans FROM head_views").fetchall():
        spans = [(min(a, last), None if b is None else min(b, last)) for a, b in json.loads(row["spans"])]
        kept = [(after, until) for after, until in spans if until is None or after < until]
        db.execute("UPDATE head_views SET spans = ? WHERE number = ?", (json.dumps(kept), row["number"]))
    db.execute("UPDATE refits SET last_lesson = min(last_lesson, ?)", (last,))
    db.execute("UPDATE adoptions SET until = min(until, ?)", (last,))


def _chunks(values: Sequence[object]) -> Iterator[tuple[Sequence[object], str]]:
    """So many values at a time, with the marks that stand for them."""
    for start in range(0, len(values), CHUNK):
        part = list(values[start : start + CHUNK])
        yield part, ", ".join("?" * len(part))
