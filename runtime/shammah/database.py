"""One SQLite file, opened so that what it acknowledges survives.

A rollback journal with synchronous=FULL is used: WAL with NORMAL acknowledges before any fsync, and WAL itself
has a corruption bug up to SQLite 3.51.2 (sqlite.org/changes.html). Every write begins IMMEDIATE: a deferred
read-then-write fails at once when another process writes.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from shammah import copies, salvage
from shammah.copies import BUSY_SECONDS
from shammah.errors import JournalDamaged, JournalError, JournalFull
from shammah.steps import SCHEMA_VERSION as SCHEMA_VERSION
from shammah.steps import climb, version_of
from shammah_convert.failpoints import reach
from shammah_convert.files import in_words, is_full

# What SQLite says of a full disk, and of a limit on the size of files.
_FULL = ("SQLITE_FULL", "SQLITE_IOERR_WRITE")

Ours = Callable[[sqlite3.Error], JournalError]


class Database:
    """A connection, for one thread; what SQLite or the disk refuses is a JournalError."""

    def __init__(self, path: Path) -> None:
        """Open or create the file, and bring its schema up to date; a damaged one is mended first.

        Raises:
            JournalError: It cannot be opened, or a newer version of Shammah wrote it.
        """
        self.path = path
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if salvage.is_marked(path):
                self._mend()
        try:
            self._open()
        except JournalDamaged:
            with self._translated():
                self._mend()
            self._open()

    @classmethod
    def mended(cls, path: Path) -> bool:
        """Look a file through, and mend it where it is damaged; whether it was.

        Raises:
            JournalError: It cannot be read, or there is no room for another one.
        """
        was_whole = not salvage.is_marked(path) and salvage.is_sound(path)
        if not was_whole:
            salvage.mark(path, "it is looked through")
        cls(path).close()
        return not was_whole

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def execute(self, statement: str, values: Sequence[object] | Mapping[str, object] = ()) -> sqlite3.Cursor:
        """Run one statement; rows can be read by column name."""
        with self._translated():
            return self._connection.cursor(self._rows).execute(statement, values)

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
            raise self.ours(error) from error

    def _rows(self, connection: sqlite3.Connection) -> "_Rows":
        return _Rows(connection, self.ours)

    def ours(self, error: sqlite3.Error | OSError) -> JournalError:
        """What SQLite or the disk says, as an error of ours; damage is noted for whoever opens the file next."""
        if copies.is_damage(error):
            salvage.mark(self.path, error)
            return JournalDamaged(f"{self.path} is damaged: {error}")
        if is_full(error) or getattr(error, "sqlite_errorname", "") in _FULL:
            return JournalFull(f"{self.path} cannot be written: {error}")
        return _of_disk(error, self.path) if isinstance(error, OSError) else JournalError(f"{self.path}: {error}")

    def _open(self) -> None:
        with self._translated():
            self._connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def _mend(self) -> None:
        """Set a damaged file aside, with what can be read of it in a new one; never a newer version's."""
        self._check(salvage.version_in_header(self.path) if self.path.exists() else 0)
        salvage.mend(self.path)

    def _prepare(self) -> None:
        self._connection.row_factory = sqlite3.Row
        self._check(version_of(self._connection))  # before its schema is read, which may mean nothing here
        self._connection.executescript(
            "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
            "PRAGMA secure_delete = ON;"  # what is deleted or replaced is overwritten
        )
        if version_of(self._connection) != SCHEMA_VERSION:
            self._migrate()

    def _migrate(self) -> None:
        """Bring the schema up to date, all or nothing, once a copy of an older one lies beside it."""
        with self.write("migration") as connection:
            version = version_of(connection)  # another process may have been faster
            self._check(version)
            if 0 < version < SCHEMA_VERSION:
                copies.before_change(self.path, version)
            climb(connection, version)

    def _check(self, version: int) -> None:
        if version <= SCHEMA_VERSION:
            return
        copy = copies.newest(self.path)
        back = f"go back to the copy from before: shammah log restore {copy}" if copy else "set SHAMMAH_HOME anew"
        raise JournalError(
            f"{self.path} was written by a newer Shammah (schema {version}, this one knows {SCHEMA_VERSION})",
            hint=f"Upgrade Shammah, or {back}",
        )


class _Rows(sqlite3.Cursor):
    """Rows on their way: damage may show in any of them."""

    def __init__(self, connection: sqlite3.Connection, ours: Ours) -> None:
        super().__init__(connection)
        self._ours = ours

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except sqlite3.Error as error:
            raise self._ours(error) from error

    def fetchone(self) -> Any:
        try:
            return super().fetchone()
        except sqlite3.Error as error:
            raise self._ours(error) from error

    def fetchall(self) -> list[Any]:
        try:
            return super().fetchall()
        except sqlite3.Error as error:
            raise self._ours(error) from error


def _of_disk(error: OSError, path: Path) -> JournalError:
    """What the folder of a journal says to whoever would write into it."""
    home = path.parent
    if home.exists() and not home.is_dir():
        return JournalError(f"{home} is no folder", hint="Move it away, or set SHAMMAH_HOME to a folder.")
    return JournalError(f"{error.filename or path} cannot be used: {in_words(error)}")


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
