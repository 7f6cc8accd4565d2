"""Each attempt to make an adapter, from the queue to its end: one at a time, and none is lost."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from shammah import database
from shammah.journal import Journal
from shammah.journal.jobs import MOST_ATTEMPTS
from shammah.journal.trainings import OPEN, TRAIN_JOB
from shammah.records.adapters import TrainingState
from tests.adopted import LINEAGE, begun, new, states

CLOSED: tuple[TrainingState, ...] = ("promoted", "refused", "failed", "cancelled")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "home") as journal:
        yield journal


def test_a_queued_training_leaves_exactly_one_job(journal: Journal) -> None:
    training = journal.trainings.queue(LINEAGE, is_automatic=True, is_forced=False)
    assert training
    assert (training.state, training.is_automatic, training.is_forced, training.base) == (
        "queued",
        True,
        False,
        LINEAGE,
    )
    assert (training.finished, training.adapter, training.reason) == (None, None, "")
    assert journal.trainings.queue(LINEAGE, is_automatic=True, is_forced=False) is None
    assert [(job.kind, job.payload) for job in journal.jobs.waiting()] == [(TRAIN_JOB, {"training": training.number})]


def test_a_training_that_somebody_waits_for_leaves_no_job(journal: Journal) -> None:
    training = journal.trainings.begin(LINEAGE, is_forced=True)
    assert training
    assert (training.state, training.is_automatic, training.is_forced) == ("running", False, True)
    assert journal.jobs.waiting() == []


@pytest.mark.parametrize("state", OPEN)
def test_while_one_training_is_open_there_is_no_other(journal: Journal, state: TrainingState) -> None:
    first = begun(journal)
    journal.trainings.note(first, state)
    assert journal.trainings.begin("another", is_forced=True) is None
    assert journal.trainings.queue("another", is_automatic=False, is_forced=True) is None
    assert journal.jobs.waiting() == []
    assert journal.trainings.open_one() == journal.trainings.last() == journal.trainings.at(first.number)
    assert journal.trainings.at(first.number).finished is None


@pytest.mark.parametrize("state", CLOSED)
def test_a_training_that_ended_has_its_time_and_makes_room(journal: Journal, state: TrainingState) -> None:
    journal.trainings.note(begun(journal), state, "so it was")
    ended = journal.trainings.last()
    assert ended
    assert (ended.state, ended.reason) == (state, "so it was")
    assert ended.finished is not None
    assert ended.finished >= ended.created
    assert journal.trainings.open_one() is None
    assert begun(journal).number == ended.number + 1


def test_what_a_killed_process_left_open_is_closed_but_not_the_queue_nor_what_is_resumed(journal: Journal) -> None:
    before: list[TrainingState] = ["running", "evaluated", "queued", "promoted", "running"]
    trainings = []
    for _ in before:
        trainings.append(begun(journal))
        journal.trainings.note(trainings[-1], "refused")
    with journal._db.write() as db:
        for training, state in zip(trainings, before, strict=True):
            db.execute("UPDATE trainings SET state = ? WHERE number = ?", (state, training.number))
    journal.trainings.settle_abandoned(but=trainings[-1])
    assert states(journal) == ["failed", "failed", "queued", "promoted", "running"]
    failed = journal.trainings.at(trainings[0].number)
    assert (failed.reason, failed.finished is None) == ("its process was killed", False)
    journal.trainings.settle_abandoned()
    assert states(journal) == ["failed", "failed", "queued", "promoted", "failed"]


def test_what_no_attempt_learnt_from_is_unseen_however_the_attempts_ended(journal: Journal) -> None:
    assert journal.trainings.unseen(["a", "b"]) == 2
    first = begun(journal)
    journal.trainings.start(first, ["a", "b"])
    journal.trainings.note(first, "failed")
    journal.trainings.start(begun(journal), ["b", "c"])
    assert journal.trainings.unseen(["a", "b", "c"]) == 0
    assert journal.trainings.unseen(["c", "d", "d", "e"]) == 2
    assert journal.trainings.unseen([]) == 0


def test_a_training_that_starts_again_learns_from_what_there_is_then(journal: Journal) -> None:
    training = journal.trainings.queue(LINEAGE, is_automatic=False, is_forced=False)
    assert training
    for examples in (["a", "b"], ["b", "c"]):
        journal.trainings.start(training, examples)
        assert journal.trainings.at(training.number).state == "running"
    journal.trainings.promote(training, new("v1", training.number))
    assert sorted(journal.adapters.examples(new("v1", training.number))) == ["b", "c"]
    assert journal.adapters.examples(new("from outside")) == []


def test_a_training_that_is_over_stays_as_it_ended(journal: Journal) -> None:
    training = begun(journal)
    journal.trainings.note(training, "promoted")
    journal.trainings.note(training, "cancelled", "too late")
    assert states(journal) == ["promoted"]
    assert not journal.trainings.start(training, ["a"])
    assert states(journal) == ["promoted"]


def test_what_was_cut_off_is_under_way_again_unless_another_is(journal: Journal) -> None:
    first = begun(journal)
    assert not journal.trainings.reopen(first, is_forced=True), "it is open"
    journal.trainings.note(first, "cancelled", "it was interrupted")
    assert journal.trainings.reopen(first, is_forced=False)
    again = journal.trainings.at(first.number)
    assert (again.state, again.reason, again.finished, again.is_forced) == ("running", "", None, first.is_forced)
    journal.trainings.note(first, "refused")
    assert not journal.trainings.reopen(first, is_forced=False), "it was decided"


@pytest.mark.parametrize(
    ("attempts", "state"), [(0, "queued"), (MOST_ATTEMPTS - 1, "queued"), (MOST_ATTEMPTS, "failed")]
)
def test_a_killed_training_is_queued_again_as_long_as_the_background_will_do_it(
    journal: Journal, attempts: int, state: TrainingState
) -> None:
    training = journal.trainings.queue(LINEAGE, is_automatic=True, is_forced=False)
    assert training
    journal.trainings.start(training, ["a"])
    journal._db.execute("UPDATE jobs SET attempts = ?", (attempts,))
    journal.trainings.settle_abandoned()
    settled = journal.trainings.at(training.number)
    assert (settled.state, settled.finished is None) == (state, state == "queued")


GB = 10**9


def test_a_queued_training_remembers_how_much_memory_it_may_take(journal: Journal) -> None:
    training = journal.trainings.queue(LINEAGE, is_automatic=False, is_forced=False, most_memory_bytes=3 * GB)
    assert training
    with Journal(journal.path.parent) as another:
        assert another.trainings.at(training.number).most_memory_bytes == 3 * GB
    assert journal.trainings.bound_memory(training, 2 * GB)
    assert journal.trainings.at(training.number).most_memory_bytes == 2 * GB
    journal.trainings.start(training, [])
    assert not journal.trainings.bound_memory(training, GB), "it has begun"
    assert journal.trainings.at(training.number).most_memory_bytes == 2 * GB


def test_a_training_without_a_bound_leaves_it_to_the_settings(journal: Journal) -> None:
    assert begun(journal).most_memory_bytes == 0


def test_trainings_of_schema_3_have_no_bound(tmp_path: Path) -> None:
    schemas = Path(database.__file__).with_name("schema")
    with contextlib.closing(sqlite3.connect(tmp_path / "shammah.db")) as old:
        for step in (1, 2, 3):
            old.executescript((schemas / f"{step}.sql").read_text())
        old.execute("INSERT INTO trainings VALUES (7, '2026', NULL, 'base', 'queued', 1, 0, NULL, '')")
        old.execute("PRAGMA user_version = 3")
        old.commit()
    with Journal(tmp_path) as journal:
        kept = journal.trainings.at(7)
    assert (kept.base, kept.state, kept.is_automatic, kept.most_memory_bytes) == ("base", "queued", True, 0)


def test_what_a_training_that_is_over_would_learn_does_not_count_as_seen(journal: Journal) -> None:
    training = begun(journal)
    journal.trainings.note(training, "cancelled")
    assert not journal.trainings.start(training, ["a"])
    assert journal.trainings.unseen(["a"]) == 1
