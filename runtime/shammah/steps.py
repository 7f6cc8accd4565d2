"""The steps of the journal's schema: `schema/N.sql` brings the one before it to N."""

import sqlite3
from pathlib import Path

from shammah_convert.failpoints import reach

_SCHEMAS = Path(__file__).with_name("schema")
STEPS = sorted(int(file.stem) for file in _SCHEMAS.glob("*.sql"))
SCHEMA_VERSION = STEPS[-1]


def version_of(db: sqlite3.Connection) -> int:
    """The schema of a database; 0 of a new one."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def climb(db: sqlite3.Connection, version: int, until: int = SCHEMA_VERSION) -> None:
    """Bring a database from one schema to a later one, within the caller's transaction."""
    for step in (step for step in STEPS if version < step <= until):
        for statement in (_SCHEMAS / f"{step}.sql").read_text("utf-8").split(";"):
            db.execute(statement)
        reach("migration.after_step")
    db.execute(f"PRAGMA user_version = {until}")
