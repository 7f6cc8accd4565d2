"""Another name for an adapter: all at once, in history too, and never one that history knows as another's."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shammah import features
from shammah.errors import UsageError
from shammah.generation import ActiveSet
from shammah.journal import Journal
from shammah.journal.comparisons import NewComparison, Pick, Tally
from shammah.naming import TRAINED, rename
from shammah.records.adapters import Adapter
from shammah.records.questions import NewAnswer
from shammah_convert.chat import Message
from tests.adopted import LINEAGE, active, begun, new, use


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "home") as journal:
        yield journal


def found(journal: Journal, name: str) -> Adapter:
    adapter = journal.adapters.find(name)
    assert adapter
    return adapter


def answered(journal: Journal, *adapters: tuple[str, float]) -> int:
    """The id of an answer that these adapters gave."""
    question = journal.begin("here", LINEAGE, [Message("user", "list files")], 0, True)
    question = journal.note_features(question, features.of_question("list files"))
    answer = NewAnswer("local", True, "ls", "forced", "stop", "m", adapters, False, 1, 1, {})
    return journal.save(question, [answer])[0].id


def test_an_adapter_keeps_all_but_its_name(journal: Journal) -> None:
    use(journal, "a", "b")
    before = found(journal, "a")
    rename(journal, before, "rust")
    assert journal.adapters.find("a") is None
    assert found(journal, "rust") == replace(before, name="rust")
    assert active(journal) == ["rust", "b"]


def test_history_tells_the_new_name(journal: Journal) -> None:
    use(journal, "a")
    old = answered(journal, ("a", 0.5), ("ab", 1.0))
    use(journal)
    rename(journal, found(journal, "a"), "rust")
    assert journal.answer(old).adapters == (("rust", 0.5), ("ab", 1.0))
    assert journal.adapters.roll_back(LINEAGE) == (("rust", 1.0),)


def test_what_was_trained_on_it_comes_from_the_new_name(journal: Journal) -> None:
    use(journal, "a")
    training = begun(journal)
    journal.trainings.promote(training, new("v1", training.number, parent="aa+a"))
    journal.adapters.add(new("outside", parent="a"))
    rename(journal, found(journal, "a"), "rust")
    assert found(journal, "v1").parent == "aa+rust"
    assert found(journal, "outside").parent == "a", "what it calls so was in another home"
    rename(journal, found(journal, "v1"), "shop")
    assert journal.trainings.at(training.number).adapter == "shop"


def test_the_watch_goes_on_under_the_new_name(journal: Journal) -> None:
    training = begun(journal)
    journal.trainings.promote(training, new("v1", training.number))
    answered(journal, ("v1", 1.0))
    rename(journal, found(journal, "v1"), "shop")
    watched = journal.watch.promotion(LINEAGE)
    assert watched is not None
    assert watched.active == (("shop", 1.0),)
    told: list[ActiveSet] = [answer.adapters for answer in journal.answers(journal.question_at(1))]
    assert told == [watched.active], "its answers are counted as before"


def compared(journal: Journal, first: str, second: str, picked: Pick = "first") -> None:
    """A blind comparison of two adapters, each perhaps with a scale."""
    ids = [answered(journal, (name.partition(":")[0], 1.0)) for name in (first, second)]
    journal.comparisons.record(NewComparison((ids[0], ids[1]), (first, second), picked, None, None))


def test_what_was_picked_blind_counts_under_the_new_name(journal: Journal) -> None:
    use(journal, "a", "b", "ab")
    compared(journal, "a", "b")
    compared(journal, "b", "a:0.5", "second")
    compared(journal, "ab", "none")
    rename(journal, found(journal, "a"), "rust")
    assert journal.comparisons.tally("rust", "b") == Tally(1, 0, 0)
    assert journal.comparisons.tally("rust:0.5", "b") == Tally(1, 0, 0)
    assert journal.comparisons.tally("ab", "none") == Tally(1, 0, 0), "another's"
    rename(journal, found(journal, "b"), "a")
    assert journal.comparisons.tally("rust", "a") == Tally(1, 0, 0)


def test_an_adapter_that_is_called_as_the_teacher_takes_none_of_its_picks_along(journal: Journal) -> None:
    use(journal, "Claude")
    ids = [answered(journal), answered(journal)]
    journal._db.execute("UPDATE answers SET side = 'teacher' WHERE id = ?", (ids[0],))
    names = ("Claude", "the local model")
    journal.comparisons.record(NewComparison((ids[0], ids[1]), names, "first", None, None))
    rename(journal, found(journal, "Claude"), "rust")
    assert journal.comparisons.tally(*names) == Tally(1, 0, 0)


def test_rows_of_an_earlier_one_of_the_name_are_not_its_own(journal: Journal) -> None:
    use(journal, "a")
    old = answered(journal, ("a", 1.0))
    use(journal)
    assert journal.adapters.delete(found(journal, "a"))
    journal.adapters.add(replace(new("a"), created="2999-01-01T00:00:00.000Z"))
    rename(journal, found(journal, "a"), "rust")
    assert journal.answer(old).adapters == (("a", 1.0),)
    assert journal.adapters.roll_back(LINEAGE) is None, "what was active then is gone"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("b", "is or was the name of another"),
        ("gone", "is or was the name of another"),  # history knows it as active
        ("older", "is or was the name of another"),  # as a parent
        ("tallied", "is or was the name of another"),  # as one of two that were compared
        (TRAINED.format(1), "is what training 1 will call"),
        ("none", "calls no adapter"),
        ("", "no name for an adapter"),
        ("a:1", "no name for an adapter"),
        ("../a", "no name for an adapter"),
        ("-a", "no name for an adapter"),
        ("a+b", "no name for an adapter"),
        ("x" * 81, "no name for an adapter"),
    ],
)
def test_a_name_that_cannot_be_its_own_is_refused(journal: Journal, name: str, message: str) -> None:
    use(journal, "gone")
    use(journal, "a", "b")
    ids = answered(journal), answered(journal)
    journal.comparisons.record(NewComparison(ids, ("tallied:0.5", "none"), "both", None, None))
    journal.adapters.delete(found(journal, "gone"))
    training = begun(journal)
    journal.adapters.add(new("child", training.number, parent="older"))
    before = journal.adapters.all()
    with pytest.raises(UsageError, match=message) as refused:
        rename(journal, found(journal, "a"), name)
    assert "name" in refused.value.hint
    assert journal.adapters.all() == before


def test_an_adapter_gets_an_earlier_name_of_its_own_back(journal: Journal) -> None:
    use(journal, "a")
    for name in ("rust", "a"):
        rename(journal, journal.adapters.all()[0], name)
    assert active(journal) == ["a"]


def test_one_that_is_gone_meanwhile_is_not_renamed(journal: Journal) -> None:
    journal.adapters.add(new("a"))
    before = found(journal, "a")
    journal.adapters.delete(before)
    assert not journal.adapters.rename(before, "rust")
    assert journal.adapters.all() == []


def rename_and_die(home: Path, statement: int) -> str:
    """What a forked process was about to do when it was killed, its nth statement; empty where it came to an end."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            left = statement

            def die_in_time(statement: str) -> None:
                nonlocal left
                left -= 1
                if left == 0:
                    os.write(writer, " ".join(statement.split()[:2]).encode())
                    os.kill(os.getpid(), signal.SIGKILL)

            journal = Journal(home)
            journal._db._connection.set_trace_callback(die_in_time)
            journal.adapters.rename(found(journal, "a"), "rust")
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as stream:
        return stream.read()


def test_whoever_is_killed_while_renaming_leaves_the_old_name_everywhere(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        use(journal, "a")
        answered(journal, ("a", 1.0))
    seen: list[str] = []
    while not seen or seen[-1] != "COMMIT":
        seen.append(rename_and_die(tmp_path, len(seen) + 1))
        assert seen[-1], "it died"
        with Journal(tmp_path) as journal:
            assert [adapter.name for adapter in journal.adapters.all()] == ["a"]
            assert active(journal) == ["a"]
            assert journal.answer(1).adapters == (("a", 1.0),)
    assert {f"UPDATE {table}" for table in ("adapters", "trainings", "activations", "answers")} < set(seen)
    assert rename_and_die(tmp_path, 99) == ""
    with Journal(tmp_path) as journal:
        assert active(journal) == ["rust"]
