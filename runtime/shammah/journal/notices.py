"""Words to the user: lines for the next command to say, and what was said once and for all."""

import sqlite3

from shammah.database import Database
from shammah.rows import now


class Notices:
    """What a home has to say."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, text: str) -> None:
        """Leave a line for the next command to say."""
        with self._db.write() as db:
            insert_notice(db, text)

    def add_news(self, topic: str, text: str) -> None:
        """Leave a line for the next command to say, unless somebody who watched has said it already."""
        with self._db.write() as db:
            if db.execute("SELECT 1 FROM flags WHERE name = ?", (topic,)).fetchone() is None:
                insert_notice(db, text)

    def heard(self, topic: str, text: str) -> None:
        """Note that somebody has said a line who watched; it is not to be said again, whoever comes first."""
        with self._db.write() as db:
            db.execute("INSERT OR IGNORE INTO flags VALUES (?, '1')", (topic,))
            db.execute("UPDATE notices SET is_shown = 1 WHERE NOT is_shown AND text = ?", (text,))

    def take(self) -> list[str]:
        """The lines that wait, each handed out once."""
        if not self._db.execute("SELECT 1 FROM notices WHERE NOT is_shown LIMIT 1").fetchone():
            return []
        with self._db.write() as db:
            found = db.execute("UPDATE notices SET is_shown = 1 WHERE NOT is_shown RETURNING id, text").fetchall()
        return [row["text"] for row in sorted(found, key=lambda row: int(row["id"]))]

    def has_flag(self, name: str) -> bool:
        """Whether the flag was raised before."""
        return self._db.execute("SELECT 1 FROM flags WHERE name = ?", (name,)).fetchone() is not None

    def raise_flag(self, name: str) -> bool:
        """Whether this is the first time that the flag is raised."""
        with self._db.write() as db:
            return db.execute("INSERT OR IGNORE INTO flags VALUES (?, '1')", (name,)).rowcount == 1


def insert_notice(db: sqlite3.Connection, text: str) -> None:
    """Leave a line for the next command to say, within a transaction."""
    db.execute("INSERT INTO notices (created, text) VALUES (?, ?)", (now(), text))
