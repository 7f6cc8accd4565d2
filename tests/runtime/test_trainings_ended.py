"""A training that fails, is cancelled, interrupted or killed leaves everything as it was."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shammah import following
from shammah.errors import TrainingRuns
from shammah.following import folder_of
from shammah.journal import Journal
from shammah.locks import TRAINING, only_one
from shammah.records.adapters import Training
from shammah.records.bases import Base
from shammah.settings import Settings
from shammah_convert.job import CANCEL, EXAMPLES, Probe
from tests.fake_trainer import FakeTrainer
from tests.tiny import write_tiny
from tests.trainings import base, correct, journal, settings, trainer

__all__ = ["base", "journal", "settings"]


@pytest.mark.parametrize(
    ("fake", "words"),
    [
        (FakeTrainer(error="the loss is nan in step 3"), "the loss is nan in step 3"),
        (FakeTrainer(value=2000.0), "ended with code 1"),
        (FakeTrainer(base_sha256="0" * 64), "was made for another file"),
        (FakeTrainer(probes=(Probe((1, 2, 3), ((5, 99.0),)),)), "logits with the adapter differ"),
    ],
)
def test_a_failure_is_recorded_and_changes_nothing(
    settings: Settings, journal: Journal, base: Base, fake: FakeTrainer, words: str
) -> None:
    correct(journal, "one")
    ended = trainer(settings, journal, fake).start(base, is_forced=False)
    assert ended.state == "failed"
    assert words in ended.reason
    assert journal.adapters.all() == []
    assert journal.adapters.active(base.sha256) == ()
    assert list((settings.home / "adapters").glob("*")) == [] or not (settings.home / "adapters").exists()


def test_a_cancelled_training_leaves_everything_as_it_was(settings: Settings, journal: Journal, base: Base) -> None:
    correct(journal, "one")

    def hear(line: dict[str, Any]) -> None:
        if line["event"] == "step":
            assert following.cancel(settings.home, journal) is not None

    fake = FakeTrainer(steps=500, pause=0.02)
    ended = trainer(settings, journal, fake, hear=hear).start(base, False)
    assert ended.state == "cancelled"
    assert journal.adapters.all() == []


def test_an_interrupt_ends_the_child_and_leaves_everything_as_it_was(
    settings: Settings, journal: Journal, base: Base
) -> None:
    correct(journal, "one")

    def hear(line: dict[str, Any]) -> None:
        if line["event"] == "step":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer(settings, journal, FakeTrainer(steps=500, pause=0.02), hear=hear).start(base, False)
    last = journal.trainings.last()
    assert last is not None
    assert last.state == "cancelled"
    count = (folder_of(settings.home, last) / "progress.jsonl").read_text().count("\n")
    assert count < 500


def test_only_one_training_runs_at_a_time(settings: Settings, journal: Journal, base: Base) -> None:
    correct(journal, "one")
    with only_one(settings.home / TRAINING), pytest.raises(TrainingRuns):
        trainer(settings, journal, FakeTrainer()).start(base, False)
    assert journal.trainings.last() is None


def test_a_training_whose_process_was_killed_is_closed_by_the_next(
    settings: Settings, journal: Journal, base: Base
) -> None:
    correct(journal, "one")
    killed = journal.trainings.begin(base.sha256, is_forced=False)
    assert killed is not None
    assert trainer(settings, journal, FakeTrainer()).start(base, False).state == "promoted"
    assert journal.trainings.at(killed.number).state == "failed"


def left_by_a_killed_process(settings: Settings, journal: Journal, base: Base) -> Training:
    """A training of the background whose process was killed before its first checkpoint."""
    correct(journal, "one")
    queued = journal.trainings.queue(base.sha256, is_automatic=True, is_forced=False)
    assert queued is not None
    journal.trainings.start(queued, ["gone"])
    folder_of(settings.home, queued).mkdir(parents=True)
    return queued


def test_a_cancel_that_a_killed_process_did_not_see_still_holds(
    settings: Settings, journal: Journal, base: Base
) -> None:
    left = left_by_a_killed_process(settings, journal, base)
    (folder_of(settings.home, left) / CANCEL).touch()
    assert trainer(settings, journal, FakeTrainer()).resume(left).state == "cancelled"


def test_a_queued_training_begins_again_where_its_process_was_killed(
    settings: Settings, journal: Journal, base: Base
) -> None:
    left = left_by_a_killed_process(settings, journal, base)
    half = folder_of(settings.home, left) / "half"
    half.touch()
    assert trainer(settings, journal, FakeTrainer()).resume(left).state == "promoted"
    assert not half.exists()


def test_a_model_that_was_replaced_is_not_trained(settings: Settings, journal: Journal, base: Base) -> None:
    correct(journal, "one")
    queued = journal.trainings.queue(base.sha256, is_automatic=True, is_forced=False)
    assert queued is not None
    write_tiny(Path(base.path), seed=9)
    ended = trainer(settings, journal, FakeTrainer()).resume(queued)
    assert ended.state == "failed"
    assert "was replaced" in ended.reason


def test_a_rank_that_the_model_cannot_hold_ends_the_training_before_it_begins(
    settings: Settings, journal: Journal, base: Base
) -> None:
    correct(journal, "one")
    settings = replace(settings, trainer=replace(settings.trainer, rank=256))
    ended = trainer(settings, journal, FakeTrainer()).start(base, is_forced=False)
    assert ended.state == "failed"
    assert "rank 256 is too large" in ended.reason
    assert not (folder_of(settings.home, ended) / EXAMPLES).exists()
