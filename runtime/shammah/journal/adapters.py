"""Adapters and what of them is active: the newest activation of a base is its active set."""

import json
import sqlite3

from shammah.database import Database
from shammah.generation import ActiveSet
from shammah.journal.renaming import give_name, is_known
from shammah.records.adapters import Adapter
from shammah.rows import now

_FOREVER = 2**63 - 1

# What came before and after something is told by numbers that grow, as a clock may be set back.
_LAST_ANSWER = "SELECT coalesce(max(id), 0) FROM answers"
_LAST_QUESTION = "SELECT coalesce(max(number), 0) FROM questions"
_LAST_ACTIVATION = "SELECT coalesce(max(number), 0) FROM activations"


class Adapters:
    """The adapters of a home."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def all(self) -> list[Adapter]:
        """Every adapter, oldest first."""
        return [_adapter(row) for row in self._db.execute("SELECT * FROM adapters ORDER BY rowid")]

    def find(self, name: str) -> Adapter | None:
        """An adapter by its name."""
        return _find(self._db, name)

    def of_file(self, sha256: str, base: str) -> Adapter | None:
        """The adapter that a file of a base is, whatever it is called by now."""
        row = self._db.execute("SELECT * FROM adapters WHERE sha256 = ? AND base = ?", (sha256, base)).fetchone()
        return _adapter(row) if row else None

    def at_path(self, path: str) -> Adapter | None:
        """The adapter whose file stands at a path."""
        row = self._db.execute("SELECT * FROM adapters WHERE path = ?", (path,)).fetchone()
        return _adapter(row) if row else None

    def examples(self, adapter: Adapter) -> list[str]:
        """Ids of the examples that an adapter was trained on; none for one that came from outside."""
        found = self._db.execute(
            "SELECT example FROM trained_examples WHERE training = ? AND is_learnt", (adapter.training,)
        )
        return [row["example"] for row in found]

    def active(self, base: str) -> ActiveSet:
        """The active set of a base: (adapter, scale), in order."""
        row = newest_activation(self._db, base)
        return active_set(row) if row else ()

    def last_swap(self, base: str, answer: int) -> int:
        """The number of the activation that changed the active set of a base last before an answer; 0 for none."""
        swap = self._last_swap(base, answer)
        return int(swap["number"]) if swap else 0

    def questions_since_swap(self, base: str) -> int | None:
        """Counted questions since the active set of a base last changed; None where it never did."""
        swap = self._last_swap(base, _FOREVER)
        if swap is None:
            return None
        counted = self._db.execute(
            "SELECT count(*) FROM questions WHERE lineage = ? AND is_counted AND number > ?",
            (base, swap["last_question"]),
        )
        return int(counted.fetchone()[0])

    def _last_swap(self, base: str, answer: int) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._db.execute(
            "SELECT * FROM (SELECT *, lag(adapters, 1, '[]') OVER (ORDER BY number) AS before FROM activations"
            " WHERE base = ?) WHERE adapters != before AND last_answer < ? ORDER BY number DESC LIMIT 1",
            (base, answer),
        ).fetchone()
        return row

    def add(self, adapter: Adapter) -> None:
        """Record an adapter whose file is whole and checked."""
        with self._db.write("conversion.import") as db:
            insert_adapter(db, adapter)

    def activate(self, base: str, active: ActiveSet, why: str) -> bool:
        """Make a set the active one; False where one of its adapters is gone."""
        with self._db.write() as db:
            if not all(self.find(name) for name, _ in active):
                return False
            activate(db, base, active, why)
        return True

    def roll_back(self, base: str) -> ActiveSet | None:
        """Make active what was active before: the newest other set whose adapters still exist; None where none was.

        A rollback is recorded, and the next one goes further back.
        """
        with self._db.write("rollback") as db:
            row = activation_before(db, base)
            if row is None:
                return None
            go_back(db, row, "rollback")
        return active_set(row)

    def rename(self, adapter: Adapter, name: str) -> bool:
        """Call an adapter otherwise, in history too, all or nothing; False where it is gone, or the name is known."""
        with self._db.write() as db:
            if self.find(adapter.name) != adapter or is_known(db, name):
                return False
            give_name(db, adapter, name)
        return True

    def delete(self, adapter: Adapter) -> bool:
        """Forget an adapter; False where it is active."""
        with self._db.write() as db:
            if any(name == adapter.name for name, _ in self.active(adapter.base)):
                return False
            db.execute("DELETE FROM adapters WHERE name = ?", (adapter.name,))
        return True


def insert_adapter(db: sqlite3.Connection, adapter: Adapter) -> None:
    """Record an adapter within a transaction."""
    db.execute(
        "INSERT INTO adapters (name, base, path, sha256, parent, scores, created, training, last_answer,"
        f" last_activation) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ({_LAST_ANSWER}), ({_LAST_ACTIVATION}))",
        (
            adapter.name,
            adapter.base,
            adapter.path,
            adapter.sha256,
            adapter.parent,
            json.dumps(adapter.scores, sort_keys=True),
            adapter.created,
            adapter.training,
        ),
    )


def activate(db: sqlite3.Connection, base: str, active: ActiveSet, why: str) -> None:
    """Make a set the active one, within a transaction; what was active comes back with a rollback.

    The state before the first activation, the bare base, is one too.
    """
    newest = newest_activation(db, base)
    earlier = newest["number"] if newest else _insert(db, base, (), "the bare base", None)
    _insert(db, base, active, why, earlier)


def go_back(db: sqlite3.Connection, to: sqlite3.Row, why: str) -> None:
    """Make an earlier activation's set the active one, within a transaction; a rollback then goes further back."""
    _insert(db, to["base"], active_set(to), why, to["earlier"])


def let_go_of_answers(db: sqlite3.Connection) -> None:
    """Let nothing point behind the last answer and question, within a transaction.

    SQLite gives the numbers of deleted ones to new ones.
    """
    db.execute(f"UPDATE adapters SET last_answer = min(last_answer, ({_LAST_ANSWER}))")
    db.execute(
        f"UPDATE activations SET last_answer = min(last_answer, ({_LAST_ANSWER})),"
        f" last_question = min(last_question, ({_LAST_QUESTION}))"
    )


def newest_activation(db: Database | sqlite3.Connection, base: str) -> sqlite3.Row | None:
    """The activation that holds."""
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM activations WHERE base = ? ORDER BY number DESC LIMIT 1", (base,)
    ).fetchone()
    return row


def activation_before(db: Database | sqlite3.Connection, base: str) -> sqlite3.Row | None:
    """The newest activation before it of another set whose adapters still exist."""
    row = newest = newest_activation(db, base)
    while row is not None and newest is not None and not _differs(db, row, newest):
        row = db.execute("SELECT * FROM activations WHERE number = ?", (row["earlier"],)).fetchone()
    return row


def active_set(activation: sqlite3.Row) -> ActiveSet:
    """The set that an activation made active."""
    return tuple((str(name), float(scale)) for name, scale in json.loads(activation["adapters"]))


def _differs(db: Database | sqlite3.Connection, row: sqlite3.Row, newest: sqlite3.Row) -> bool:
    """Whether going back to an activation would change anything, and can be done."""
    if row["adapters"] == newest["adapters"]:
        return False
    wanted = "SELECT 1 FROM adapters WHERE name = ? AND base = ? AND last_activation < ?"
    # One that came later under the name of a deleted one is not what was active then.
    return all(db.execute(wanted, (name, row["base"], row["number"])).fetchone() for name, _ in active_set(row))


def _insert(db: sqlite3.Connection, base: str, active: ActiveSet, why: str, earlier: int | None) -> int:
    number = db.execute(
        "INSERT INTO activations (created, base, adapters, earlier, why, last_answer, last_question)"
        f" VALUES (?, ?, ?, ?, ?, ({_LAST_ANSWER}), ({_LAST_QUESTION}))",
        (now(), base, json.dumps(active), earlier, why),
    ).lastrowid
    assert number is not None
    return number


def _find(db: Database | sqlite3.Connection, name: str) -> Adapter | None:
    row = db.execute("SELECT * FROM adapters WHERE name = ?", (name,)).fetchone()
    return _adapter(row) if row else None


def _adapter(row: sqlite3.Row) -> Adapter:
    return Adapter(**{name: row[name] for name in Adapter.__slots__} | {"scores": json.loads(row["scores"])})
