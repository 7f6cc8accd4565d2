"""Copies of the database: one before its schema changes, and the way back to it. What is replaced is set aside."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from shammah import aside, locks
from shammah.errors import JournalError
from shammah.steps import SCHEMA_VERSION, version_of
from shammah_convert.files import publish

BUSY_SECONDS = 30.0
_MARK, _PARTIAL = ".schema-", ".partial"
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_damage(error: BaseException) -> bool:
    """Whether SQLite found a database damaged, or none at all."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _DAMAGE


def before_change(path: Path, version: int) -> Path:
    """Copy a database that is of an older schema, while nobody writes to it; the copy, beside it.

    Raises:
        OSError | sqlite3.Error: There is no room for it.
    """
    target = aside.named(path, f"{_MARK}{version}-")
    _copy(path, target)
    return target


def of(path: Path) -> list[Path]:
    """The copies that were made of a database, and what was set aside of it, by name."""
    return [*aside.of(path, _MARK), *aside.of(path)]


def newest(path: Path) -> Path | None:
    """The copy of the newest schema that this version reads, the latest one of those; None where there is none."""
    read = {copy: _version(copy) for copy in aside.of(path, _MARK) if not copy.name.endswith((_PARTIAL, "-journal"))}
    return max(
        (copy for copy, version in read.items() if 0 < version <= SCHEMA_VERSION),
        key=lambda copy: (read[copy], copy.name),
        default=None,
    )


def restore(path: Path, copy: Path) -> Path | None:
    """Let a copy take the place of a database; what was there is set aside, and the copy stays.

    Returns:
        Where what was there is now; None where there was nothing.

    Raises:
        JournalError: The copy is no sound database of this version or an earlier one, or there is no room.
    """
    _check(copy)
    try:
        with alone(path), making(path) as partial:
            _copy_into(copy, partial)
            return take_place(partial, path)
    except (sqlite3.Error, OSError) as error:
        raise JournalError(f"{copy} cannot take the place of {path}: {error}") from error


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """One process at a time puts another database in the place of one."""
    with locks.waited_for(path.with_name(f"{path.name}.lock")):
        yield


@contextlib.contextmanager
def making(path: Path) -> Iterator[Path]:
    """A name for a database that is made for a place; what is left of it at the end is removed."""
    partial = path.with_name(f"{path.name}{_PARTIAL}")
    try:
        _remove(partial)  # of a killed process
        partial.touch(0o600)
        yield partial
    finally:
        _remove(partial)


def take_place(partial: Path, path: Path) -> Path | None:
    """Let a finished database take the place of another, which is set aside with what it had not yet taken back.

    Whoever has the other one open finds at its next write that it was moved (SQLITE_READONLY_DBMOVED).
    """
    if not path.exists():
        publish(partial, path)
        return None
    with _still(path):
        kept = aside.keep(path)
        journal = path.with_name(f"{path.name}-journal")
        with contextlib.suppress(FileNotFoundError):  # SQLite would take it for the new one's
            journal.rename(kept.with_name(f"{kept.name}-journal"))
        publish(partial, path)
    return kept


@contextlib.contextmanager
def _still(path: Path) -> Iterator[None]:
    """Nobody writes to a database meanwhile; a damaged one may not even be locked."""
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as db:
        try:
            db.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
        yield


def _check(copy: Path) -> None:
    if not copy.is_file():
        raise JournalError(f"there is no file {copy}", hint="The copies are beside the database: ls shammah.db.*")
    hint = "Give another copy: those are beside the database."
    try:
        with contextlib.closing(_opened(copy)) as db:
            version = version_of(db)
            faults = [row[0] for row in db.execute("PRAGMA integrity_check(1)") if row[0] != "ok"]
    except (sqlite3.Error, OSError) as error:
        raise JournalError(f"{copy} is no sound database: {error}", hint=hint) from error
    if faults or not 0 < version <= SCHEMA_VERSION:
        why = faults[0] if faults else f"it is of schema {version}, and this version knows {SCHEMA_VERSION}"
        raise JournalError(f"{copy} cannot be used: {why}", hint=hint)


def _copy(path: Path, target: Path) -> None:
    with making(target) as partial:
        _copy_into(path, partial)
        publish(partial, target)


def _copy_into(path: Path, target: Path) -> None:
    """Copy a database page by page, as it is committed."""
    with contextlib.closing(_opened(path)) as source, contextlib.closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


def _opened(path: Path) -> sqlite3.Connection:
    # Not read-only: what a killed process left in the rollback journal could not be taken back then.
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", BUSY_SECONDS, uri=True)


def _version(copy: Path) -> int:
    try:
        with contextlib.closing(_opened(copy)) as db:
            return version_of(db)
    except sqlite3.Error:
        return 0


def _remove(partial: Path) -> None:
    for file in (partial, partial.with_name(f"{partial.name}-journal")):
        with contextlib.suppress(OSError):  # half a file would keep a full disk full
            file.unlink(missing_ok=True)
