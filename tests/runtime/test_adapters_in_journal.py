"""What is active, and what was: whole in the journal, whatever dies."""

import contextlib
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest

from shammah import database, features
from shammah.database import SCHEMA_VERSION
from shammah.errors import JournalError
from shammah.generation import ActiveSet
from shammah.journal import Journal
from shammah.records.adapters import Adapter
from shammah_convert.chat import Message
from tests.adopted import LINEAGE, active, begun, new, use

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
