"""Another name for an adapter, wherever a row tells the old one; within one transaction.

Sets of adapters are JSON, in which a name stands in quotes: nothing else can look like it. A name may have belonged to
an adapter that is gone: rows from before this one came are its own, and stay.
"""

import json
import sqlite3

from shammah.records import Adapter

_SETS = ("activations", "answers")


def is_known(db: sqlite3.Connection, name: str) -> bool:
    """Whether an adapter has a name, or had it and a row still tells so."""
    quoted, between = json.dumps(name), f"+{name}+"
    row = db.execute(
        "SELECT EXISTS (SELECT 1 FROM adapters WHERE name = ?)"
        " OR EXISTS (SELECT 1 FROM adapters WHERE training IS NOT NULL AND instr('+' || parent || '+', ?))"
        " OR EXISTS (SELECT 1 FROM trainings WHERE adapter = ?)"
        + "".join(f" OR EXISTS (SELECT 1 FROM {table} WHERE instr(adapters, ?))" for table in _SETS),
        (name, between, name, quoted, quoted),
    ).fetchone()
    return bool(row[0])


def give_name(db: sqlite3.Connection, adapter: Adapter, name: str) -> None:
    """Give an adapter a name that nobody has and no row tells."""
    db.execute("UPDATE adapters SET name = ? WHERE name = ?", (name, adapter.name))
    db.execute("UPDATE trainings SET adapter = ? WHERE number = ?", (name, adapter.training))
    for table in _SETS:
        old, new = json.dumps(adapter.name), json.dumps(name)
        db.execute(
            f"UPDATE {table} SET adapters = replace(adapters, ?, ?) WHERE created >= ? AND instr(adapters, ?)",
            (old, new, adapter.created, old),
        )
    # What came from outside may name a parent that was never here.
    db.execute(
        "UPDATE adapters SET parent = trim(replace('+' || parent || '+', ?, ?), '+')"
        " WHERE training IS NOT NULL AND created >= ? AND instr('+' || parent || '+', ?)",
        (f"+{adapter.name}+", f"+{name}+", adapter.created, f"+{adapter.name}+"),
    )
