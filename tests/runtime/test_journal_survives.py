"""What the journal has acknowledged stays, whole, whatever dies and whoever writes beside it."""

import contextlib
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from shammah import database
from shammah.database import SCHEMA_VERSION
from shammah.errors import JournalError
from shammah.journal import Journal
from tests.kept import answer, begin


def test_a_new_home_is_closed_to_others(journal: Journal) -> None:
    assert journal.path.parent.stat().st_mode & 0o077 == 0


def test_an_older_journal_is_brought_up_to_date_and_keeps_its_rows(tmp_path: Path) -> None:
    first = Path(database.__file__).with_name("schema") / "1.sql"
    old = sqlite3.connect(tmp_path / "shammah.db")
    old.executescript(first.read_text())
    old.execute(
        "INSERT INTO examples (id, prompt, completion, weight, source, state, created)"
        " VALUES ('a', '[]', '[]', 1, 'teacher', 'live', '2026-01-01T00:00:00.000Z')"
    )
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    for _ in range(2):
        with Journal(tmp_path) as journal:
            (kept,) = journal.examples.all()
            assert (kept.example.id, kept.state, kept.rating) == ("a", "live", None)
            assert journal._db.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION


def test_a_newer_journal_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        path = journal.path
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(JournalError, match="newer"):
        Journal(tmp_path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("data", [b"no database", b"no database " * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_set_aside_as_it_is(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "shammah.db"
    for _ in range(2):
        file.write_bytes(data)
        with Journal(tmp_path) as journal:
            assert journal.recent(1) == []
    assert [kept.read_bytes() for kept in tmp_path.glob("shammah.db.aside-*")] == [data, data]


def test_a_folder_that_cannot_be_made_is_our_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JournalError):
        Journal(tmp_path / "file" / "home")


def test_a_commit_that_a_reader_holds_up_is_our_error_and_the_next_one_works(journal: Journal) -> None:
    question = begin(journal)
    journal._db.execute("PRAGMA busy_timeout = 50")
    with contextlib.closing(sqlite3.connect(journal.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM questions").fetchall()
        with pytest.raises(JournalError, match="locked"):
            journal.save(question, [answer()])
        reader.execute("ROLLBACK")
    assert journal.answers(question) == []
    journal.save(question, [answer()])
    assert len(journal.examples.live()) == 1


FULL_DISK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from shammah.errors import JournalError
from tests.kept import answer, ask, begin
from shammah.journal import Journal
with Journal(Path(sys.argv[1])) as journal:
    ask(journal, "kept")
    question = begin(journal)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.path.stat().st_size, unlimited[1]))
    try:
        journal.save(question, [answer(text="x" * 5_000_000)])
    except JournalError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert journal.answers(question) == []
    journal.save(question, [answer(text="after all")])
    assert [example.completion[0].content for example in journal.examples.live()] == ["Because.", "after all"]
"""


def test_a_full_disk_is_our_error_that_says_so_and_the_journal_lives_on(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path), str(root)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == 0, child.stderr
    # SQLite's words for a write that the system refused, one for each of its two paths.
    assert "disk" in child.stdout


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from shammah.journal import Journal
from tests.kept import answer, begin
with Journal(Path(sys.argv[1])) as journal:
    while True:
        question = begin(journal)
        journal.save(question, [answer()], ("label", {"question": question.number}))
        print(question.id, flush=True)
"""


@pytest.mark.parametrize("acknowledged", [1, 5, 12])
def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path: Path, acknowledged: int) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path), str(Path(__file__).parents[2])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        ids = [child.stdout.readline() for _ in range(acknowledged)]
        child.send_signal(signal.SIGKILL)
        ids += [line for line in child.stdout if line.endswith("\n")]
    with Journal(tmp_path) as journal:
        for id in ids:
            question = journal.question(id.strip())
            assert question
            assert len(journal.answers(question)) == 1
        kept = [answer for question in journal.recent(10_000) for answer in journal.answers(question)]
        # One may be committed that was not acknowledged any more; each is whole, with example and job.
        assert len(ids) <= len(kept) == len(journal.examples.live()) == len(journal.jobs.waiting()) <= len(ids) + 1
        assert journal._db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


HALF_WRITER = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from shammah.journal import Journal
from tests.kept import ask
journal = Journal(Path(sys.argv[1]))
ask(journal, "kept")
before = journal.path.stat().st_size
with journal._db.write() as db:
    db.execute("UPDATE questions SET text = 'spoiled'")
    for _ in range(400):  # more than the cache of 2 MB holds: the file itself is written before the commit
        db.execute("INSERT INTO notices (created, text) VALUES ('', ?)", ("x" * 10_000,))
    assert journal.path.stat().st_size > before
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_writer_killed_in_mid_transaction_leaves_what_was_before(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HALF_WRITER, str(tmp_path), str(Path(__file__).parents[2])]
    child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert (tmp_path / "shammah.db-journal").stat().st_size > 0
    with Journal(tmp_path) as journal:
        assert [question.text for question in journal.recent(10)] == ["kept"]
        assert journal.notices.take() == []
        assert journal._db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
