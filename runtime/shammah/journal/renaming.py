"""Another name for an adapter, wherever a row tells the old one; within one transaction.

Sets of adapters are JSON, in which a name stands in quotes: nothing else can look like it. A name may have belonged to
an adapter that is gone: rows from before this one came are its own, and stay.
"""

import json
import sqlite3

from shammah.records.adapters import Adapter

_SETS = {"activations": ("number", "last_activation"), "answers": ("id", "last_answer")}
"""Where sets of adapters stand: what numbers their rows, and what an adapter knows of the last one before it came."""
_PLACES = ("first", "second")


def is_known(db: sqlite3.Connection, name: str) -> bool:
    """Whether an adapter has a name, or had it and a row still tells so."""
    quoted, between = json.dumps(name), f"+{name}+"
    row = db.execute(
        "SELECT EXISTS (SELECT 1 FROM adapters WHERE name = ?)"
        " OR EXISTS (SELECT 1 FROM adapters WHERE training IS NOT NULL AND instr('+' || parent || '+', ?))"
        " OR EXISTS (SELECT 1 FROM trainings WHERE adapter = ?)"
        + "".join(f" OR EXISTS (SELECT 1 FROM {table} WHERE instr(adapters, ?))" for table in _SETS)
        + "".join(f" OR EXISTS (SELECT 1 FROM comparisons WHERE {_is_named(place)})" for place in _PLACES),
        (name, between, name, quoted, quoted, name, name),
    ).fetchone()
    return bool(row[0])


def give_name(db: sqlite3.Connection, adapter: Adapter, name: str) -> None:
    """Give an adapter a name that nobody has and no row tells."""
    db.execute("UPDATE adapters SET name = ? WHERE name = ?", (name, adapter.name))
    db.execute("UPDATE trainings SET adapter = ? WHERE number = ?", (name, adapter.training))
    marks = db.execute("SELECT rowid, * FROM adapters WHERE name = ?", (name,)).fetchone()
    for table, (number, mark) in _SETS.items():
        old, new = json.dumps(adapter.name), json.dumps(name)
        db.execute(
            f"UPDATE {table} SET adapters = replace(adapters, ?, ?) WHERE {number} > ? AND instr(adapters, ?)",
            (old, new, marks[mark], old),
        )
    for place in _PLACES:  # Claude's answers are of the other side, whatever an adapter is called
        db.execute(
            f"UPDATE comparisons SET {place}_name = ? || substr({place}_name, 1 + length(?)) WHERE {place} > ?"
            f" AND {_is_named(place)} AND {place} IN (SELECT id FROM answers WHERE side = 'local')",
            (name, adapter.name, marks["last_answer"], adapter.name),
        )
    # What came from outside may name a parent that was never here.
    db.execute(
        "UPDATE adapters SET parent = trim(replace('+' || parent || '+', ?, ?), '+')"
        " WHERE training IS NOT NULL AND rowid > ? AND instr('+' || parent || '+', ?)",
        (f"+{adapter.name}+", f"+{name}+", marks["rowid"], f"+{adapter.name}+"),
    )


def _is_named(place: str) -> str:
    """Whether a contender is an adapter, alone or as NAME:SCALE; the name is to be given."""
    return f"instr({place}_name || ':', ? || ':') = 1"
