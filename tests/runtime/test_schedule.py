"""A training starts by itself when enough is new, once, and only where it can."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shammah import bases, config, schedule
from shammah.journal import Journal
from shammah.journal.trainings import TRAIN_JOB
from shammah.locks import TRAINING, only_one
from shammah.records.adapters import Training, TrainingState
from shammah.records.questions import NewAnswer
from shammah.settings import Settings, TrainerSettings, WorkerSettings
from shammah_convert.chat import Message
from tests.tiny import write_tiny

LIMITS = TrainerSettings(after_feedback=10, after_examples=100)
FEEDBACK = 2
"""So much makes a training due in the journals here."""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def settings(journal: Journal, tmp_path: Path) -> Settings:
    environ = {"SHAMMAH_HOME": str(journal.path.parent), "SHAMMAH_TRAINER_AFTER_FEEDBACK": str(FEEDBACK)}
    return config.with_model(config.load(environ), str(write_tiny(tmp_path / "tiny.gguf")))


def interpreter(path: Path, code: int) -> str:
    """What stands for a Python that finds the trainer's libraries, or does not."""
    path.write_text(f"#!/bin/sh\nexit {code}\n")
    path.chmod(0o755)
    return str(path)


def with_trainer(settings: Settings, **changes: Any) -> Settings:
    return replace(settings, trainer=replace(settings.trainer, **changes))


def learn(journal: Journal, count: int, is_feedback: bool = True) -> list[str]:
    """Ids of so many new examples: of the user's, or of the teacher's plain answers."""
    ids = []
    for _ in range(count):
        number = len(journal.examples.all())
        question = journal.begin("here", "base", [Message("user", f"question {number}")], 0, True)
        new = NewAnswer("teacher", True, "Because.", "cold_start", "stop", "m", (), True, 1, 1, {})
        (answer,) = journal.save(question, [new])
        kept = journal.examples.of_answer(answer.id)
        assert kept is not None
        if is_feedback:
            journal.examples.edit(kept.example.id, "Therefore.", 10.0)
        ids.append(kept.example.id)
    return ids


def attempt(journal: Journal, seen: list[str], state: TrainingState, hours_ago: float = 0) -> None:
    """A training that learnt from some examples, and ended so long ago."""
    training = journal.trainings.begin("base", is_forced=False)
    assert training is not None
    journal.trainings.start(training, seen)
    journal.trainings.note(training, state, "so it went")
    with journal._db.write() as db:
        db.execute("UPDATE trainings SET finished = ? WHERE number = ?", (ago(hours_ago), training.number))


def ago(hours: float) -> str:
    """As the journal writes a time."""
    moment = datetime.now(UTC) - timedelta(hours=hours)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def last(state: TrainingState, hours_ago: float, is_finished: bool = True) -> Training:
    finished = ago(hours_ago) if is_finished else None
    return Training(1, ago(hours_ago), finished, "base", state, True, False, None, "")


@pytest.mark.parametrize(
    ("feedback", "examples", "before", "expected"),
    [
        (0, 0, None, 10),
        (1, 1, None, 9),
        (9, 9, None, 1),
        (10, 10, None, 0),
        (25, 25, None, 0),
        (0, 99, None, 10),
        (0, 100, None, 0),
        (3, 100, None, 0),
        (3, 3, last("failed", 25), 0),
        (0, 0, last("failed", 24.01), 0),
        (3, 3, last("failed", 23.9), 7),
        (10, 10, last("failed", 1), 0),
        (3, 3, last("failed", 25, is_finished=False), 0),
        (3, 3, last("refused", 100), 7),
        (3, 3, last("promoted", 100), 7),
        (3, 3, last("cancelled", 100), 7),
    ],
)
def test_how_much_is_missing(feedback: int, examples: int, before: Training | None, expected: int) -> None:
    assert schedule.missing(feedback, examples, before, LIMITS) == expected


def test_where_nothing_starts_by_itself_nothing_is_missing() -> None:
    assert schedule.missing(50, 500, last("failed", 99), replace(LIMITS, automatic=False)) is None


def test_a_due_training_is_queued_once(journal: Journal, settings: Settings) -> None:
    learn(journal, FEEDBACK)
    assert [schedule.consider(journal, settings) for _ in range(3)] == ["", "", ""]
    (job,) = journal.jobs.waiting()
    training = journal.trainings.open_one()
    assert training is not None
    assert (job.kind, job.payload) == (TRAIN_JOB, {"training": training.number})
    assert (training.state, training.is_automatic, training.is_forced) == ("queued", True, False)
    assert training.base == bases.identify(journal, Path(settings.model.path)).sha256


def test_a_training_that_is_not_due_is_not_queued(journal: Journal, settings: Settings) -> None:
    learn(journal, FEEDBACK - 1)
    learn(journal, 50, is_feedback=False)
    assert schedule.counted(journal, settings) == 1
    assert schedule.consider(journal, settings) == ""
    assert journal.jobs.waiting() == []


def test_what_an_attempt_has_seen_is_not_new(journal: Journal, settings: Settings) -> None:
    attempt(journal, learn(journal, FEEDBACK), "refused", hours_ago=100)
    assert schedule.counted(journal, settings) == FEEDBACK
    learn(journal, FEEDBACK)
    assert schedule.counted(journal, settings) == 0


def test_enough_examples_of_any_source_are_due(journal: Journal, settings: Settings) -> None:
    learn(journal, 5, is_feedback=False)
    assert schedule.counted(journal, with_trainer(settings, after_examples=6)) == FEEDBACK
    assert schedule.counted(journal, with_trainer(settings, after_examples=5)) == 0


@pytest.mark.parametrize(("hours", "expected"), [(23, []), (25, [TRAIN_JOB])])
def test_a_failed_training_is_tried_again_after_a_day(
    journal: Journal, settings: Settings, hours: int, expected: list[str]
) -> None:
    attempt(journal, learn(journal, FEEDBACK), "failed", hours)
    schedule.consider(journal, settings)
    assert [job.kind for job in journal.jobs.waiting()] == expected


def test_a_missing_trainer_is_said_once_and_nothing_is_queued(
    journal: Journal, settings: Settings, tmp_path: Path
) -> None:
    learn(journal, FEEDBACK)
    without = with_trainer(settings, python=interpreter(tmp_path / "python", 1))
    said = [schedule.consider(journal, without) for _ in range(3)]
    assert said == [schedule.MISSING, "", ""]
    assert "shammah[train]" in said[0]
    assert (journal.jobs.waiting(), journal.trainings.last()) == ([], None)


def test_a_missing_trainer_is_not_said_before_it_is_wanted(
    journal: Journal, settings: Settings, tmp_path: Path
) -> None:
    without = with_trainer(settings, python=interpreter(tmp_path / "python", 1))
    assert schedule.consider(journal, without) == ""


def test_the_trainers_own_python_is_asked(settings: Settings, tmp_path: Path) -> None:
    assert schedule.is_installed(with_trainer(settings, python=interpreter(tmp_path / "with", 0)))
    assert not schedule.is_installed(with_trainer(settings, python=interpreter(tmp_path / "without", 1)))
    assert not schedule.is_installed(with_trainer(settings, python=str(tmp_path / "nowhere")))
    assert schedule.is_installed(settings), "here it is installed"
    assert schedule.is_installed(with_trainer(settings, python=sys.executable))


@pytest.mark.parametrize("name", ["trainer", "worker"])
def test_where_the_user_wants_none_none_is_queued(journal: Journal, settings: Settings, name: str) -> None:
    learn(journal, FEEDBACK)
    changed = {
        "trainer": with_trainer(settings, automatic=False),
        "worker": replace(settings, worker=WorkerSettings(enabled=False)),
    }
    assert schedule.consider(journal, changed[name]) == ""
    assert (journal.jobs.waiting(), journal.trainings.last()) == ([], None)


def test_a_training_under_way_is_waited_for(journal: Journal, settings: Settings) -> None:
    learn(journal, FEEDBACK)
    with only_one(settings.home / TRAINING):
        assert journal.trainings.begin("base", is_forced=False) is not None
        assert schedule.consider(journal, settings) == ""
    assert journal.jobs.waiting() == []


def test_a_training_whose_process_was_killed_does_not_stand_in_the_way(journal: Journal, settings: Settings) -> None:
    killed = journal.trainings.begin("base", is_forced=False)
    assert killed is not None
    learn(journal, FEEDBACK)
    assert schedule.consider(journal, settings) == ""
    assert journal.trainings.at(killed.number).state == "failed"
    assert len(journal.jobs.waiting()) == 1


def test_a_model_that_is_gone_is_said_and_nothing_is_lost(journal: Journal, settings: Settings) -> None:
    learn(journal, FEEDBACK)
    Path(settings.model.path).unlink()
    assert schedule.consider(journal, settings).startswith("Training cannot start: there is no model at")
    assert journal.jobs.waiting() == []


def test_with_nothing_to_learn_a_failed_training_is_not_tried_again(journal: Journal, settings: Settings) -> None:
    attempt(journal, [], "failed", hours_ago=25)
    assert schedule.counted(journal, settings) == FEEDBACK
