"""A damaged database: it is set aside, and what can be read of it is saved into a new one."""

import contextlib
import logging
import os
import shutil
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from shammah import aside, copies
from shammah.copies import is_damage
from shammah.given import BACKGROUND_VARIABLE
from shammah.steps import SCHEMA_VERSION, climb
from shammah.times import stamp

Row = tuple[object, ...]

_MAGIC, _HEADER_BYTES, _VERSION_AT = b"SQLite format 3\0", 100, 60
# A header whose version is further off is damaged, and not of a newer Shammah.
_FAR = 1000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Saved:
    """What of a damaged database is in the new one."""

    rows: int
    questions: int


def mark(path: Path, error: object) -> None:
    """Let whoever opens a database next mend it: those who have it open cannot."""
    with contextlib.suppress(OSError):
        _mark_of(path).write_text(str(error), "utf-8")


def is_marked(path: Path) -> bool:
    """Whether somebody found a database damaged."""
    return _mark_of(path).exists()


def version_in_header(path: Path) -> int:
    """The schema that the first bytes of a database name; 0 where they do not."""
    with path.open("rb") as stream:
        head = stream.read(_HEADER_BYTES)
    if len(head) < _HEADER_BYTES or not head.startswith(_MAGIC):
        return 0
    version = int.from_bytes(head[_VERSION_AT : _VERSION_AT + 4], "big")
    return version if version < SCHEMA_VERSION + _FAR else 0


def mend(path: Path) -> bool:
    """Set a damaged database aside, with what can be read of it in a new one in its place; False where it is whole.

    Raises:
        OSError | sqlite3.Error: There is no room for another one; the damaged one is as it was.
    """
    with copies.alone(path):
        if is_sound(path):  # another process was faster
            _mark_of(path).unlink(missing_ok=True)
            return False
        with copies.making(path) as partial:
            saved = _saved(path, partial)
            kept = copies.take_place(partial, path)
        _mark_of(path).unlink(missing_ok=True)
    assert kept is not None, "what is not sound is there"
    _tell(path, kept, saved)
    return True


def is_sound(path: Path) -> bool:
    """Whether SQLite finds nothing wrong with a database; one that is not there is sound."""
    if not path.exists() or path.stat().st_size == 0:
        return True
    try:
        with contextlib.closing(_opened(path)) as db:
            return all(row[0] == "ok" for row in db.execute("PRAGMA integrity_check(1)"))
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return False
        raise


def _saved(path: Path, partial: Path) -> Saved:
    """What can be read of a damaged database, in a new one; where it is nothing, also with its first bytes mended.

    SQLite takes a file whose first 16 bytes are others for no database, though every page is whole.
    """
    saved = _save(path, partial)
    if saved.rows or not _has_spoilt_magic(path):
        return saved
    with copies.making(path.with_name(f"{path.name}{aside.MARK}whole")) as whole:
        shutil.copyfile(path, whole)
        with whole.open("r+b") as stream:
            stream.write(_MAGIC)
        partial.unlink()
        partial.touch(0o600)
        return _save(whole, partial)


def _has_spoilt_magic(path: Path) -> bool:
    with path.open("rb") as stream:
        head = stream.read(_HEADER_BYTES)
    return len(head) == _HEADER_BYTES and not head.startswith(_MAGIC)


def _save(path: Path, partial: Path) -> Saved:
    """Make a database of the same schema from what can be read of a damaged one."""
    version = version_in_header(path) or SCHEMA_VERSION
    with contextlib.closing(sqlite3.connect(partial, isolation_level=None)) as new:
        new.execute("BEGIN IMMEDIATE")
        climb(new, 0, version)
        rows = sum(_take_over(path, new, table) for table in _tables(new))
        _let_go(new)
        questions = int(new.execute("SELECT count(*) FROM questions").fetchone()[0])
        new.execute("COMMIT")
    return Saved(rows, questions)


def _take_over(path: Path, new: sqlite3.Connection, table: str) -> int:
    """Copy the rows of a table that can be read; how many there are."""
    with contextlib.suppress(sqlite3.DatabaseError), contextlib.closing(_opened(path)) as old:
        known = {row[1] for row in old.execute(f"PRAGMA table_info({table})")}
        columns = [row[1] for row in new.execute(f"PRAGMA table_info({table})") if row[1] in known]
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        for row in _rows(old, table, names) if columns else ():
            with contextlib.suppress(sqlite3.IntegrityError, sqlite3.InterfaceError):  # damage within the row
                new.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", row)
    return int(new.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _rows(old: sqlite3.Connection, table: str, columns: str) -> list[Row]:
    """The rows of a table up to the first page that cannot be read, and those behind the last such page, in order."""
    found: list[Row] = []
    if _reads_to_the_end(old, f"SELECT {columns} FROM {table}", found):
        return found
    tail: list[Row] = []
    _reads_to_the_end(old, f"SELECT {columns} FROM {table} ORDER BY rowid DESC", tail)
    return found + tail[::-1]


def _reads_to_the_end(old: sqlite3.Connection, statement: str, found: list[Row]) -> bool:
    """Take the rows of a statement as far as they come; whether all did."""
    try:
        found.extend(old.execute(statement))
    except (sqlite3.DatabaseError, OverflowError, MemoryError):
        return False
    return True


def _let_go(new: sqlite3.Connection) -> None:
    """Let no row refer to one that is lost: it does without where it can, and is left out where it cannot."""
    while broken := list(new.execute("PRAGMA foreign_key_check")):
        for table, rowid, parent, number in broken:
            key = next(row for row in new.execute(f"PRAGMA foreign_key_list({table})") if row[0] == number)
            column, target = key[3], key[4]
            where = f"{column} NOT IN (SELECT {target} FROM {parent})" if rowid is None else f"rowid = {rowid}"
            if _may_be_empty(new, table, column):
                new.execute(f"UPDATE {table} SET {column} = NULL WHERE {where}")
            else:
                new.execute(f"DELETE FROM {table} WHERE {where}")


def _may_be_empty(new: sqlite3.Connection, table: str, column: str) -> bool:
    row = next(row for row in new.execute(f"PRAGMA table_info({table})") if row[1] == column)
    return not row[3] and not row[5]  # neither NOT NULL nor of the primary key


def _tables(db: sqlite3.Connection) -> list[str]:
    found = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return [row[0] for row in found]


def _tell(path: Path, kept: Path, saved: Saved) -> None:
    """Say what was done, once: on stderr, or with the next command where nobody reads ours."""
    copy = copies.newest(path)
    text = (
        f"{path.name} was damaged. It is set aside as {kept}; what could be read of it is in a new one:"
        f" {saved.rows:,} rows, {saved.questions:,} of them questions."
        + (f" There is also an earlier copy: shammah log restore {copy}" if copy else "")
    )
    if BACKGROUND_VARIABLE not in os.environ:
        _log.warning("%s", text)
        return
    with contextlib.closing(sqlite3.connect(path, copies.BUSY_SECONDS)) as db, db:
        db.execute("INSERT INTO notices (created, text) VALUES (?, ?)", (stamp(datetime.now(UTC)), text))


def _opened(path: Path) -> sqlite3.Connection:
    """A database to read from, whatever its texts hold."""
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", copies.BUSY_SECONDS, uri=True)
    db.text_factory = lambda text: text.decode("utf-8", "replace")
    return db


def _mark_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.damaged")
