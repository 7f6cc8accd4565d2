"""A copy of the database before its schema changes, and the way back."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from shammah import copies, steps
from shammah.database import SCHEMA_VERSION
from shammah.errors import JournalError
from shammah.journal import Journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database of schema 1 with a flag."""
    path = tmp_path / "shammah.db"
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        steps.climb(db, 0, 1)
        db.execute("INSERT INTO flags VALUES ('kept', '1')")
    return path


def dump(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return [str(steps.version_of(db)), *db.iterdump()]


def test_an_older_database_is_copied_before_it_is_changed_and_once(path: Path) -> None:
    before = dump(path)
    for _ in range(2):
        Journal(path.parent).close()
    (copy,) = path.parent.glob("shammah.db.schema-1-*")
    assert dump(copy) == before
    assert copy.stat().st_mode & 0o077 == 0
    assert dump(path)[0] == str(SCHEMA_VERSION)


def test_a_new_database_leaves_no_copy(tmp_path: Path) -> None:
    Journal(tmp_path).close()
    assert [file.name for file in tmp_path.iterdir()] == ["shammah.db"]


def test_a_step_that_fails_changes_nothing(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, schemas = dump(path), tmp_path / "schemas"
    schemas.mkdir()
    for step in steps.STEPS:
        (schemas / f"{step}.sql").write_text((steps._SCHEMAS / f"{step}.sql").read_text())
    (schemas / f"{SCHEMA_VERSION}.sql").write_text("CREATE TABLE fine (x); CREATE TABLE questions (x);")
    with monkeypatch.context() as patch:
        patch.setattr(steps, "_SCHEMAS", schemas)
        with pytest.raises(JournalError, match="already exists"):
            Journal(path.parent)
    assert dump(path) == before
    with Journal(path.parent) as journal:
        assert journal.notices.has_flag("kept")


def test_a_newer_database_is_refused_with_the_way_back(path: Path) -> None:
    Journal(path.parent).close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(JournalError, match="newer") as refused:
        Journal(path.parent)
    copy = copies.newest(path)
    assert copy is not None
    assert f"shammah log restore {copy}" in refused.value.hint
    newer = path.read_bytes()
    kept = copies.restore(path, copy)
    assert kept is not None
    assert kept.read_bytes() == newer
    with Journal(path.parent) as journal:
        assert journal.notices.has_flag("kept")
    assert copy.exists()


def test_what_is_no_database_of_ours_restores_nothing(path: Path) -> None:
    other, before = path.with_name("other"), dump(path)
    for data in (b"", b"no database", path.read_bytes()[:-2000]):
        other.write_bytes(data)
        with pytest.raises(JournalError):
            copies.restore(path, other)
    with pytest.raises(JournalError, match="there is no file"):
        copies.restore(path, path.with_name("absent"))
    assert dump(path) == before
