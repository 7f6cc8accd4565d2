"""The quarantine: what came in from outside, and waits until a user accepts it."""

import sqlite3
from collections.abc import Sequence

from shammah import rows
from shammah.database import Database
from shammah.quarantine import OUTSIDE, Origin, Pair, Provenance, TestQuestion
from shammah.rows import new_id, now
from shammah_convert.chat import Message
from shammah_convert.examples import Source

# What teaching asks for itself may be asked at once: it changes nothing that the model says.
_ASKED = "e.state = 'test' AND (p.accepted IS NOT NULL OR e.source = 'teach')"


class Quarantine:
    """What came in from outside to a home."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def receive(self, pairs: Sequence[Pair], origin: Origin) -> list[str]:
        """Take in a batch, all or nothing: to wait, or to be asked and never learnt; the ids."""
        with self._db.write("example.receipt") as db:
            return [_insert(db, pair, origin) for pair in pairs]

    def questions(self) -> list[str]:
        """Every question that an example or a test asks, in whatever state: what came once is not taken in again."""
        found = self._db.execute("SELECT prompt FROM examples ORDER BY rowid")
        return [_said(row["prompt"]) for row in found]

    def told(self, author: str) -> list[str]:
        """The questions that whoever teaches knows: those that came by `teach`, and what else an author wrote."""
        found = self._db.execute(
            "SELECT e.prompt FROM examples e JOIN provenance p ON p.example = e.id"
            " WHERE e.source = 'teach' OR p.author = ? ORDER BY e.rowid",
            (author,),
        )
        return [_said(row["prompt"]) for row in found]

    def tests(self) -> list[TestQuestion]:
        """The questions that are never learnt, oldest first."""
        found = self._db.execute(
            "SELECT e.id, e.prompt, e.completion, p.category FROM examples e JOIN provenance p ON p.example = e.id"
            f" WHERE {_ASKED} ORDER BY e.rowid"
        )
        return [
            TestQuestion(row["id"], row["category"], rows.load_messages(row["prompt"]), _said(row["completion"]))
            for row in found
        ]

    def waiting(self, source: Source | None = None) -> int:
        """How many examples wait to be accepted, of all doors or of one."""
        found = self._db.execute(
            "SELECT count(*) FROM examples WHERE state = 'waiting' AND source = coalesce(?, source)", (source,)
        )
        return int(found.fetchone()[0])

    def accept(self, source: Source, ids: Sequence[str] | None = None) -> int:
        """Let what waits be learnt: all that came by a door, or these of it; how many examples that were."""
        with self._db.write("example.acceptance") as db:
            chosen = ids if ids is not None else _ids(db, "source = ?", (source,))
            for id in chosen:
                db.execute(
                    "UPDATE provenance SET accepted = ? WHERE example = ? AND accepted IS NULL"
                    " AND example IN (SELECT id FROM examples WHERE source = ? AND state IN ('waiting', 'test'))",
                    (now(), id, source),
                )
            return sum(_become(db, "live", "waiting", id, source) for id in chosen)

    def take_back(self, batches: Sequence[str]) -> int:
        """Let what was accepted of some batches wait again; how many examples that were."""
        with self._db.write() as db:
            back = 0
            for batch in batches:
                for id in _ids(db, "id IN (SELECT example FROM provenance WHERE batch = ?)", (batch,)):
                    taken = sum(_become(db, "waiting", "live", id, source) for source in OUTSIDE)
                    if taken:
                        db.execute("UPDATE provenance SET accepted = NULL WHERE example = ?", (id,))
                    back += taken
            return back

    def unlearnt(self, source: Source) -> list[tuple[str, str]]:
        """(id, batch) of all that was accepted of a door and no attempt has learnt from yet, oldest first."""
        found = self._db.execute(
            "SELECT e.id, p.batch FROM examples e JOIN provenance p ON p.example = e.id WHERE e.state = 'live'"
            " AND e.source = ? AND e.id NOT IN (SELECT example FROM trained_examples WHERE is_learnt)"
            " ORDER BY e.rowid",
            (source,),
        )
        return [(row["id"], row["batch"]) for row in found]

    def of_batch(self, batch: str) -> list[str]:
        """Ids of a batch, in whatever state."""
        return [row["example"] for row in self._db.execute("SELECT example FROM provenance WHERE batch = ?", (batch,))]

    def of_source(self, source: Source) -> list[str]:
        """Ids of all that came by a door and is still as it came, in whatever state."""
        return [row["id"] for row in self._db.execute("SELECT id FROM examples WHERE source = ?", (source,))]

    def purge(self, source: Source) -> int:
        """Delete all that came by a door, learnt or not; how many examples and tests that were."""
        with self._db.write() as db:
            return db.execute("DELETE FROM examples WHERE source = ?", (source,)).rowcount

    def provenance(self, example: str) -> Provenance | None:
        """Where an example comes from; None for one that came from this machine itself."""
        row = self._db.execute(
            "SELECT p.*, e.source FROM provenance p JOIN examples e ON e.id = p.example WHERE e.id = ?", (example,)
        ).fetchone()
        if row is None:
            return None
        origin = Origin(row["source"], row["author"], row["batch"], row["category"], row["difficulty"], row["focus"])
        return Provenance(origin, row["received"], row["accepted"])


def _insert(db: sqlite3.Connection, pair: Pair, origin: Origin) -> str:
    id, state, at = new_id(), "test" if pair.is_test else "waiting", now()
    db.execute(
        "INSERT INTO examples (id, prompt, completion, weight, source, state, created) VALUES (?, ?, ?, 1, ?, ?, ?)",
        (
            id,
            rows.dump_messages([Message("user", pair.question)]),
            rows.dump_messages([Message("assistant", pair.answer)]),
            origin.door,
            state,
            at,
        ),
    )
    db.execute(
        "INSERT INTO provenance VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
        (id, origin.author, origin.batch, origin.category, origin.difficulty, origin.focus, at),
    )
    return id


def _become(db: sqlite3.Connection, state: str, before: str, id: str, source: Source) -> int:
    changed = db.execute(
        "UPDATE examples SET state = ? WHERE id = ? AND state = ? AND source = ?", (state, id, before, source)
    )
    return changed.rowcount


def _ids(db: sqlite3.Connection, clause: str, values: Sequence[str]) -> list[str]:
    return [row["id"] for row in db.execute(f"SELECT id FROM examples WHERE {clause}", values)]


def _said(messages: str) -> str:
    return "".join(message.content for message in rows.load_messages(messages)[-1:])
