"""A damaged database: set aside, and what can be read of it in a new one."""

import logging
import sqlite3
from pathlib import Path

import pytest

from shammah.database import Database
from shammah.errors import JournalDamaged
from shammah.journal import Journal
from shammah_convert.chat import Message

ASKED, PAGE_BYTES = 300, 4096


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose questions fill many pages."""
    with Journal(tmp_path) as journal, journal._db.write() as db:
        for number in range(ASKED):
            db.execute(
                "INSERT INTO questions (id, created, session, lineage, text, context, may_go_online)"
                " VALUES (?, '', '', '', ?, '[]', 0)",
                (f"{number:010}", "x" * 400),
            )
        db.execute("INSERT INTO spending (day, usd, question) VALUES ('2026-11-26', 0.5, ?)", (ASKED // 2,))
    return tmp_path


def spoil(home: Path, page: int, data: bytes = b"\xff" * PAGE_BYTES) -> bytes:
    """Overwrite a page of a database."""
    file = home / "shammah.db"
    with file.open("r+b") as stream:
        stream.seek(page * PAGE_BYTES)
        stream.write(data)
    return file.read_bytes()


def middle(home: Path) -> int:
    """A page that holds questions, and nothing else."""
    data = (home / "shammah.db").read_bytes()
    return data.index(f"{ASKED // 2:010}".encode()) // PAGE_BYTES


def test_what_is_damaged_while_it_is_read_is_mended_by_the_next_command(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spoiled = spoil(home, middle(home))
    with Journal(home) as journal, pytest.raises(JournalDamaged, match="is damaged"):
        journal.log.find()
    with Journal(home) as journal:
        assert ASKED - 40 < len(journal.log.find()) < ASKED
        assert journal._db.execute("SELECT usd, question FROM spending").fetchall()[0][0] == 0.5
    (kept,) = home.glob("shammah.db.aside-*")
    assert kept.read_bytes() == spoiled
    (said,) = (record for record in caplog.records if record.levelno == logging.WARNING)
    assert str(kept) in said.getMessage()


def test_a_row_does_without_what_it_referred_to_and_is_lost_where_it_cannot(home: Path) -> None:
    with Journal(home) as journal:
        question = journal.question_at(ASKED // 2)
        journal.jobs.enqueue("label", {"question": question.number})
    spoil(home, middle(home))
    assert Database.mended(home / "shammah.db")
    with Journal(home) as journal:
        assert not journal._db.execute("PRAGMA foreign_key_check").fetchall()
        (row,) = journal._db.execute("SELECT usd, question FROM spending").fetchall()
        assert tuple(row) == (0.5, None)


def test_a_damaged_header_costs_no_more_than_it_holds(home: Path) -> None:
    spoil(home, 0, b"\0" * 100)
    with Journal(home) as journal:
        assert journal.log.find() == []
    assert len(list(home.glob("shammah.db.aside-*"))) == 1


def test_a_header_whose_first_bytes_are_spoilt_hides_nothing_of_a_whole_database(home: Path) -> None:
    spoiled = spoil(home, 0, b"SQLxxxxxxx")
    with Journal(home) as journal:
        assert len(journal.log.find()) == ASKED
    (kept,) = home.glob("shammah.db.aside-*")
    assert kept.read_bytes() == spoiled
    assert sorted(path.name for path in home.iterdir()) == ["shammah.db", kept.name, "shammah.db.lock"]


def test_a_whole_database_is_left_alone_whatever_somebody_thought(home: Path) -> None:
    (home / "shammah.db.damaged").write_text("a mistake")
    before = (home / "shammah.db").read_bytes()
    with Journal(home) as journal:
        assert len(journal.log.find()) == ASKED
    assert (home / "shammah.db").read_bytes() == before
    assert sorted(path.name for path in home.iterdir()) == ["shammah.db", "shammah.db.lock"]


def test_nobody_writes_to_what_was_set_aside(home: Path) -> None:
    with Journal(home) as open_before:
        assert len(open_before.log.find()) == ASKED
        spoil(home, middle(home))
        assert Database.mended(home / "shammah.db")
        with pytest.raises(Exception, match="readonly"):
            open_before.begin("", "", [Message("user", "x")], 0, False)


def test_the_background_leaves_word_for_the_next_command(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SHAMMAH_BACKGROUND", "1")
    spoil(home, 0, b"\0" * 100)
    with Journal(home) as journal:
        (notice,) = journal.notices.take()
    assert "was damaged" in notice
    assert not caplog.records


def test_damage_that_nobody_met_is_found_by_looking(home: Path) -> None:
    spoil(home, middle(home))
    assert Database.mended(home / "shammah.db")
    assert not Database.mended(home / "shammah.db")
    with sqlite3.connect(home / "shammah.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
