"""What is active, and what was: whole in the journal, whatever dies."""

import contextlib
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shammah import database, features
from shammah.database import SCHEMA_VERSION
from shammah.errors import JournalError
from shammah.generation import ActiveSet
from shammah.journal import Journal
from shammah.records.adapters import Adapter, Training
from shammah_convert.chat import Message

LINEAGE = "base"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "home") as journal:
        yield journal


def new(name: str, training: int | None = None, base: str = LINEAGE, parent: str | None = None) -> Adapter:
    created = "2026-01-01T00:00:00.000Z"
    return Adapter(name, base, f"/{name}.gguf", "ab" * 32, parent, {"learnt.exact": 0.5}, created, training)


def use(journal: Journal, *names: str, base: str = LINEAGE) -> None:
    for name in names:
        if journal.adapters.find(name) is None:
            journal.adapters.add(new(name, base=base))
    journal.adapters.activate(base, tuple((name, 1.0) for name in names), "use")


def active(journal: Journal) -> list[str]:
    return [name for name, _ in journal.adapters.active(LINEAGE)]


def begun(journal: Journal) -> Training:
    training = journal.trainings.begin(LINEAGE, is_forced=False)
    assert training
    return training


def states(journal: Journal) -> list[str]:
    return [row["state"] for row in journal._db.execute("SELECT state FROM trainings ORDER BY number")]


# What is active, and what was.


def test_an_adapter_is_read_as_it_was_added(journal: Journal) -> None:
    adapters = [new("first", parent="older"), new("second", begun(journal).number)]
    for adapter in adapters:
        journal.adapters.add(adapter)
    assert journal.adapters.all() == adapters
    assert journal.adapters.find("second") == adapters[1]
    assert journal.adapters.find("Second") is None


def test_counted_questions_are_counted_from_the_last_swap_on(journal: Journal) -> None:
    def ask(is_counted: bool = True) -> None:
        question = journal.begin("session", LINEAGE, [Message("user", "list files")], 0, True)
        if is_counted:
            journal.note_route(question, features.of_question("list files"), None, 0.5)

    ask()
    time.sleep(0.002)  # the journal's clock counts milliseconds
    assert journal.adapters.questions_since_swap(LINEAGE) is None
    use(journal, "a")
    assert journal.adapters.questions_since_swap(LINEAGE) == 0
    ask()
    ask(is_counted=False)
    time.sleep(0.002)
    use(journal, "a")
    assert journal.adapters.questions_since_swap(LINEAGE) == 1, "the same again is no swap"
    use(journal)
    assert journal.adapters.questions_since_swap(LINEAGE) == 0, "the bare base again is one"
    assert journal.adapters.questions_since_swap("another") is None


def test_a_name_is_given_once(journal: Journal) -> None:
    journal.adapters.add(new("a"))
    with pytest.raises(JournalError):
        journal.adapters.add(new("a", parent="another"))
    assert journal.adapters.all() == [new("a")]


def test_the_newest_activation_is_the_active_set(journal: Journal) -> None:
    sets: list[ActiveSet] = [(("a", 1.0),), (("b", 0.5), ("a", -0.1)), (), (("a", 1.0), ("b", 1e-3))]
    for name in "ab":
        journal.adapters.add(new(name))
    for chosen in sets:
        assert journal.adapters.activate(LINEAGE, chosen, "use")
        with Journal(journal.path.parent) as other:
            assert other.adapters.active(LINEAGE) == chosen


def test_a_set_with_an_adapter_that_is_gone_is_not_made_active(journal: Journal) -> None:
    journal.adapters.add(new("a"))
    assert not journal.adapters.activate(LINEAGE, (("a", 1.0), ("gone", 1.0)), "use")
    assert journal.adapters.active(LINEAGE) == ()


def test_a_rollback_brings_back_no_other_adapter_of_the_same_name(journal: Journal) -> None:
    journal.adapters.add(new("a"))
    journal.adapters.activate(LINEAGE, (("a", 1.0),), "use")
    journal.adapters.activate(LINEAGE, (), "use")
    found = journal.adapters.find("a")
    assert found is not None
    journal.adapters.delete(found)
    journal.adapters.add(replace(found, created="2999-01-01T00:00:00.000Z"))
    assert journal.adapters.roll_back(LINEAGE) is None


def test_nothing_is_active_at_first(journal: Journal) -> None:
    assert journal.adapters.active(LINEAGE) == ()
    assert journal.adapters.roll_back(LINEAGE) is None


def test_each_base_has_its_own_active_set_and_its_own_past(journal: Journal) -> None:
    use(journal, "a")
    use(journal, "x", base="another")
    assert (active(journal), journal.adapters.active("another")) == (["a"], (("x", 1.0),))
    assert journal.adapters.roll_back("another") == ()
    assert active(journal) == ["a"]


def test_rollbacks_go_back_to_the_bare_base_and_no_further(journal: Journal) -> None:
    for names in ("a", "ab", "", "c"):
        use(journal, *names)
    walked = [journal.adapters.roll_back(LINEAGE) for _ in range(5)]
    assert walked == [(), (("a", 1.0), ("b", 1.0)), (("a", 1.0),), (), None]
    assert active(journal) == []


def test_a_rollback_is_recorded_and_what_comes_after_it_goes_back_to_it(journal: Journal) -> None:
    for name in "abc":
        use(journal, name)
    journal.adapters.roll_back(LINEAGE)
    whys = [row["why"] for row in journal._db.execute("SELECT why FROM activations ORDER BY number")]
    assert whys == ["the bare base", "use", "use", "use", "rollback"]
    use(journal, "d")
    assert [journal.adapters.roll_back(LINEAGE) for _ in range(3)] == [(("b", 1.0),), (("a", 1.0),), ()]


def test_a_rollback_skips_sets_that_held_a_deleted_adapter(journal: Journal) -> None:
    for names in ("a", "ab", "b", "c"):
        use(journal, *names)
    assert journal.adapters.delete(new("b"))
    assert [journal.adapters.roll_back(LINEAGE) for _ in range(3)] == [(("a", 1.0),), (), None]


@pytest.mark.parametrize("used", ["aa", "aba"], ids=["used twice", "with a deleted one between"])
def test_a_rollback_never_brings_back_what_is_active_already(journal: Journal, used: str) -> None:
    for name in used:
        use(journal, name)
    journal.adapters.delete(new("b"))
    assert journal.adapters.roll_back(LINEAGE) == ()


def test_an_active_adapter_is_not_deleted(journal: Journal) -> None:
    use(journal, "a", "b")
    assert not journal.adapters.delete(new("b"))
    assert [adapter.name for adapter in journal.adapters.all()] == ["a", "b"]
    use(journal, "a")
    assert journal.adapters.delete(new("b"))
    assert [adapter.name for adapter in journal.adapters.all()] == ["a"]


# Promotion.


def test_a_promotion_is_an_adapter_an_activation_and_an_end(journal: Journal) -> None:
    use(journal, "old")
    training = begun(journal)
    journal.trainings.promote(training, new("v1", training.number))
    assert journal.adapters.active(LINEAGE) == (("v1", 1.0),)
    ended = journal.trainings.at(training.number)
    assert (ended.state, ended.adapter, ended.finished is None) == ("promoted", "v1", False)
    assert journal.adapters.roll_back(LINEAGE) == (("old", 1.0),)


def test_a_promotion_under_a_name_that_is_taken_changes_nothing(journal: Journal) -> None:
    use(journal, "v1")
    use(journal)
    training = begun(journal)
    with pytest.raises(JournalError):
        journal.trainings.promote(training, new("v1", training.number))
    assert active(journal) == []
    assert journal.adapters.all() == [new("v1")]
    assert journal.trainings.at(training.number) == training


# It dies before the nth statement of the promotion, or after it; small caches make SQLite write the file before.
DYING = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from shammah.journal import Journal
from tests.runtime.test_adapters_in_journal import begun, new, use
journal = Journal(Path(sys.argv[1]))
use(journal, "old")
training = begun(journal)
left = int(sys.argv[3])
def die_in_time(statement):
    global left
    left -= 1
    if left == 0:
        print(statement.split()[0], Path(f"{journal.path}-journal").exists(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
journal._db._connection.execute("PRAGMA cache_size = 1")
journal._db._connection.set_trace_callback(die_in_time)
journal.trainings.promote(training, new("v1", training.number, parent="x" * 3_000_000))
os.kill(os.getpid(), signal.SIGKILL)
"""


def die(home: Path, statement: int) -> list[str]:
    """What the child was about to do, and whether SQLite had begun to write the file."""
    command = [sys.executable, "-c", DYING, str(home), str(ROOT), str(statement)]
    child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == -signal.SIGKILL, child.stderr
    return child.stdout.split()


def check_whole(journal: Journal, is_promoted: bool) -> None:
    training = journal.trainings.last()
    assert training
    assert training.state == ("promoted" if is_promoted else "running")
    assert training.adapter == ("v1" if is_promoted else None)
    assert active(journal) == (["v1"] if is_promoted else ["old"])
    assert [adapter.name for adapter in journal.adapters.all()] == (["old", "v1"] if is_promoted else ["old"])
    assert journal._db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_promotion_that_is_killed_before_its_commit_leaves_the_old_set(tmp_path: Path) -> None:
    seen: list[list[str]] = []
    while not seen or seen[-1][0] != "COMMIT":
        home = tmp_path / str(len(seen))
        seen.append(die(home, len(seen) + 1))
        with Journal(home) as journal:
            check_whole(journal, is_promoted=False)
            journal.trainings.settle_abandoned()
            assert begun(journal), "the next training can begin"
    assert [words[0] for words in seen] == ["BEGIN", "INSERT", "SELECT", "INSERT", "UPDATE", "COMMIT"]
    assert seen[-1] == ["COMMIT", "True"], "the file was being written, and was brought back"


def test_a_promotion_that_is_killed_after_its_commit_stands(tmp_path: Path) -> None:
    assert die(tmp_path, 0) == []
    with Journal(tmp_path) as journal:
        check_whole(journal, is_promoted=True)


PROMOTER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from shammah.journal import Journal
from tests.runtime.test_adapters_in_journal import begun, new
with Journal(Path(sys.argv[1])) as journal:
    while True:
        training = begun(journal)
        journal.trainings.promote(training, new(f"v{training.number}", training.number))
        print(training.number, flush=True)
"""


@pytest.mark.parametrize("acknowledged", [1, 4, 9])
def test_a_promoter_killed_at_any_time_leaves_the_last_promotion_whole(tmp_path: Path, acknowledged: int) -> None:
    command = [sys.executable, "-c", PROMOTER, str(tmp_path), str(ROOT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        numbers = [child.stdout.readline() for _ in range(acknowledged)]
        child.send_signal(signal.SIGKILL)
        numbers += [line for line in child.stdout if line.endswith("\n")]
    with Journal(tmp_path) as journal:
        promoted = states(journal).count("promoted")
        assert len(numbers) <= promoted <= len(numbers) + 1, "one more may be committed than was acknowledged"
        assert active(journal) == [f"v{promoted}"]
        assert len(journal.adapters.all()) == promoted


# The schema before.


def test_a_journal_of_schema_2_keeps_every_row(tmp_path: Path) -> None:
    rows = {
        "bases": "('/b', 'base', 1, 2, 3, 'tiny', 'qwen2', '2026')",
        "adapters": "('a', 'base', '/a', 'ab', NULL, '{}', '2026')",
        "flags": "('greeted', '1')",
        "notices": "(1, '2026', 'hello', 0)",
        "jobs": "(1, 'label', '{}', 'queued', 0, 0, '2026', NULL, NULL)",
        "questions": "(1, 'q', '2026', 's', 'base', 'Why?', '[]', 1, 1, 0, NULL, NULL, NULL, NULL, NULL, 0)",
        "answers": "(1, 1, '2026', 'local', 1, 'So.', 'forced', 'stop', 'm', '[[\"a\", 0.5]]', 0, NULL, NULL, NULL,"
        " 1, 1, '{}', NULL, NULL, NULL)",
        "lessons": "(1, '2026', 'router', 'base', 1, 1, 1, 0.5, 'semantic')",
        "ratings": "(1, '2026', 1, 'critical', 'no')",
        "examples": "('e', 1, '[]', '[]', NULL, 10, 'user', 'live', '2026', 1)",
        "spending": "(1, '2026-01-01', 0.5, 1, 1)",
    }
    with contextlib.closing(sqlite3.connect(tmp_path / "shammah.db")) as old:
        for step in (1, 2):
            old.executescript((Path(database.__file__).with_name("schema") / f"{step}.sql").read_text())
        for table, row in rows.items():
            old.execute(f"INSERT INTO {table} VALUES {row}")
        old.execute("PRAGMA user_version = 2")
        old.commit()
        before = {table: old.execute(f"SELECT * FROM {table}").fetchall() for table in rows}
    for _ in range(2):
        with Journal(tmp_path) as journal:
            assert journal._db.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
            for table, (row,) in before.items():
                (after,) = journal._db.execute(f"SELECT * FROM {table}")
                assert tuple(after)[: len(row)] == row, table
            (adapter,) = journal.adapters.all()
            assert adapter == Adapter("a", "base", "/a", "ab", None, {}, "2026", None)
            assert journal.adapters.active("base") == ()
            assert journal._db.execute("PRAGMA foreign_key_check").fetchall() == []
            assert journal.trainings.last() is None
