"""One SQLite file, opened so that what it acknowledges survives.

A rollback journal with synchronous=FULL is used: WAL with NORMAL acknowledges before any fsync, and WAL itself
has a corruption bug up to SQLite 3.51.2 (sqlite.org/changes.html). Every write begins IMMEDIATE: a deferred
read-then-write fails at once when another process writes.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from shammah.errors import JournalError
from shammah_convert.failpoints import reach

BUSY_SECONDS = 30.0

# N.sql brings the schema before it to N.
_SCHEMAS = Path(__file__).with_name("schema")
_STEPS = sorted(int(file.stem) for file in _SCHEMAS.glob("*.sql"))
SCHEMA_VERSION = _STEPS[-1]


class Database:
    """A connection, for one thread; what SQLite or the disk refuses is a JournalError."""

    def __init__(self, path: Path) -> None:
        """Open or create the file, and bring its schema up to date.

        Raises:
            JournalError: It cannot be opened, or a newer version of Shammah wrote it.
        """
        self.path = path
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def execute(self, statement: str, values: Sequence[object] | Mapping[str, object] = ()) -> sqlite3.Cursor:
        """Run one statement; rows can be read by column name."""
        with self._translated():
            return self._connection.execute(statement, values)

    @contextlib.contextmanager
    def write(self, name: str = "") -> Iterator[sqlite3.Connection]:
        """One write transaction: committed whole, or not at all; its name is that of the failpoints at its end."""
        with self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                reach(f"{name}.before_commit")
                self._connection.execute("COMMIT")
                reach(f"{name}.after_commit")
            except BaseException:
                if self._connection.in_transaction:  # a full disk makes SQLite roll back by itself
                    self._connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"{self.path}: {error}") from error

    def _prepare(self) -> None:
        self._connection.row_factory = sqlite3.Row
        self._connection.executescript(
            "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
            "PRAGMA secure_delete = ON;"  # what is deleted or replaced is overwritten
        )
        if self._version() != SCHEMA_VERSION:
            self._migrate()

    def _migrate(self) -> None:
        with self.write("migration") as connection:
            version = self._version()  # another process may have been faster
            if version > SCHEMA_VERSION:
                raise JournalError(
                    f"{self.path} was written by a newer Shammah (schema {version}, this one knows {SCHEMA_VERSION})",
                    hint="Upgrade Shammah, or set SHAMMAH_HOME to another folder.",
                )
            for step in (step for step in _STEPS if step > version):
                for statement in (_SCHEMAS / f"{step}.sql").read_text("utf-8").split(";"):
                    connection.execute(statement)
                reach("migration.after_step")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])


def examine(path: Path) -> tuple[int, list[str], int]:
    """A journal's schema, what SQLite finds wrong with it, and how many questions it holds; nothing is changed.

    Raises:
        JournalError: It cannot be read.
    """
    try:
        # Not read-only: what a killed process left in the rollback journal could not be taken back then.
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", BUSY_SECONDS, uri=True)) as connection:
            schema = int(connection.execute("PRAGMA user_version").fetchone()[0])
            faults = [row[0] for row in connection.execute("PRAGMA quick_check(5)") if row[0] != "ok"]
            lost = connection.execute("SELECT count(*) FROM pragma_foreign_key_check").fetchone()[0]
            faults += [f"{lost} rows refer to rows that are not there"] if lost else []
            has_questions = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'questions'").fetchone()
            questions = connection.execute("SELECT count(*) FROM questions").fetchone()[0] if has_questions else 0
    except (sqlite3.Error, OSError) as error:
        raise JournalError(f"{path}: {error}") from error
    return schema, faults, int(questions)
