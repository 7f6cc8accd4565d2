"""Model files, as they were when they were probed."""

from dataclasses import asdict
from pathlib import Path

from shammah.database import Database
from shammah.records.bases import Base
from shammah.rows import now


class Bases:
    """The model files that a home knows."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def at(self, path: Path) -> Base | None:
        """What was recorded of the model file at a path."""
        row = self._db.execute("SELECT * FROM bases WHERE path = ?", (str(path),)).fetchone()
        return Base(**{name: row[name] for name in Base.__slots__}) if row else None

    def find(self, sha256: str) -> Base | None:
        """A model file by its hash: of several, the newest that is still there."""
        found = self._db.execute("SELECT * FROM bases WHERE sha256 = ? ORDER BY probed DESC", (sha256,)).fetchall()
        bases = [Base(**{name: row[name] for name in Base.__slots__}) for row in found]
        return next((base for base in bases if Path(base.path).is_file()), bases[0] if bases else None)

    def record(self, base: Base) -> None:
        """Record a model file whose hash was taken and which was probed; it replaces what stood at its path."""
        with self._db.write() as db:
            row = asdict(base) | {"probed": now()}
            db.execute(
                f"INSERT OR REPLACE INTO bases ({', '.join(row)}) VALUES ({', '.join(':' + name for name in row)})",
                row,
            )
