"""A training that was cut off goes on from its checkpoint, with the examples that it froze, or says why it cannot."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from shammah import aside, following, resuming, schedule
from shammah.errors import NothingToResume, TrainingRuns
from shammah.following import folder_of, outcome
from shammah.journal import Journal
from shammah.records.adapters import Training
from shammah.records.bases import Base
from shammah.settings import Settings
from shammah.worker import Worker
from shammah_convert.job import CANCEL, CHECKPOINTS, EXAMPLES, HELD_OUT, JOB, PROGRESS, Job, Probe
from tests.cut_off import CHECKPOINT, cut_off, take_up
from tests.fake_trainer import FakeTrainer
from tests.tiny import write_tiny
from tests.trainings import base, correct, journal, settings, trainer

__all__ = ["base", "cut_off", "journal", "settings"]


def kill(journal: Journal, training: Training) -> Training:
    """What SIGKILL leaves in the journal."""
    journal._db.execute("UPDATE trainings SET state = 'running', finished = NULL, reason = ''")
    return journal.trainings.at(training.number)


def test_an_interrupted_training_goes_on_under_its_number_with_what_it_froze(
    settings: Settings, journal: Journal, cut_off: Training
) -> None:
    folder = folder_of(settings.home, cut_off)
    progress, frozen = (folder / PROGRESS).read_text(), (folder / EXAMPLES).read_text()
    assert "`shammah train --resume` goes on" in outcome(settings.home, cut_off)
    correct(journal, "two")
    (folder / CANCEL).touch()
    ended = take_up(settings, journal)
    assert (ended.number, ended.state, ended.adapter) == (cut_off.number, "promoted", "corrections-v1")
    assert (folder / PROGRESS).read_text().startswith(progress), "what is told is appended"
    assert (folder / EXAMPLES).read_text() == frozen
    adapter = journal.adapters.find("corrections-v1")
    assert adapter is not None
    assert len(journal.adapters.examples(adapter)) == 1
    assert list(folder.glob(CHECKPOINTS)) == [], "nobody needs them any more"
    assert "--resume" not in outcome(settings.home, ended)


def test_a_killed_training_is_closed_and_can_be_resumed(
    settings: Settings, journal: Journal, cut_off: Training
) -> None:
    kill(journal, cut_off)
    assert schedule.open_training(settings.home, journal) is None
    closed = journal.trainings.at(cut_off.number)
    assert (closed.state, closed.reason) == ("failed", "its process was killed")
    assert take_up(settings, journal).state == "promoted"


def test_a_training_of_the_background_waits_for_its_worker_which_goes_on(
    settings: Settings, journal: Journal, cut_off: Training
) -> None:
    journal.jobs.enqueue("train", {"training": cut_off.number})
    kill(journal, cut_off)
    waiting = schedule.open_training(settings.home, journal)
    assert waiting is not None
    assert waiting.state == "queued"
    assert "goes on with it" in outcome(settings.home, waiting)
    folder = folder_of(settings.home, cut_off)
    progress = (folder / PROGRESS).read_text()
    python = FakeTrainer().write(settings.home)
    Worker(replace(settings, trainer=replace(settings.trainer, python=python)), journal).work()
    assert journal.trainings.at(cut_off.number).state == "promoted"
    assert (folder / PROGRESS).read_text().startswith(progress)
    assert journal.jobs.waiting() == []


def test_a_trainer_that_was_killed_is_resumed_by_the_worker_at_its_next_attempt(
    settings: Settings, journal: Journal, base: Base
) -> None:
    correct(journal, "one")
    queued = journal.trainings.queue(base.sha256, is_automatic=False, is_forced=False)
    assert queued is not None
    python = settings.home / "killed"
    python.write_text(f'#!/bin/sh\ntouch "$4/{CHECKPOINT}"\necho >> "$4/{PROGRESS}"\nkill -9 $$\n')
    python.chmod(0o755)
    for interpreter, state in ((str(python), "queued"), (FakeTrainer().write(settings.home), "promoted")):
        with_it = replace(settings, trainer=replace(settings.trainer, python=interpreter))
        Worker(with_it, journal).work()
        assert journal.trainings.at(queued.number).state == state
        journal._db.execute("UPDATE jobs SET not_before = 0")
    assert (folder_of(settings.home, queued) / PROGRESS).read_text().startswith("\n"), "its folder was kept"


def test_whoever_watches_hears_that_its_process_was_killed(
    settings: Settings, journal: Journal, cut_off: Training
) -> None:
    journal.jobs.enqueue("train", {"training": cut_off.number})
    running = kill(journal, cut_off)
    assert following.watch(settings.home, journal, running, lambda _: None).state == "queued"


def drop_an_example(journal: Journal, _: Path) -> None:
    journal.examples.drop(journal.examples.all()[0].example.id)


def replace_the_base(journal: Journal, _: Path) -> None:
    base = journal.bases.find(journal.trainings.at(1).base)
    assert base is not None
    write_tiny(Path(base.path), seed=9)


def lose(name: str) -> Callable[[Journal, Path], object]:
    return lambda _, folder: (folder / name).unlink()


def change(name: str) -> Callable[[Journal, Path], object]:
    return lambda _, folder: (folder / name).write_text("")


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (drop_an_example, "examples that it learnt were changed meanwhile"),
        (replace_the_base, "the model that was to be trained was replaced"),
        (lose(CHECKPOINT), "left no checkpoint"),
        (lose(JOB), "left no checkpoint"),
        (lose(HELD_OUT), "left no checkpoint"),
        (change(EXAMPLES), "left no checkpoint"),
    ],
)
def test_what_cannot_go_on_says_why_and_what_to_do(
    settings: Settings, journal: Journal, cut_off: Training, event: Callable[[Journal, Path], object], words: str
) -> None:
    event(journal, folder_of(settings.home, cut_off))
    with pytest.raises(NothingToResume, match=words) as raised:
        take_up(settings, journal)
    assert "`shammah train`" in raised.value.hint
    assert journal.trainings.at(cut_off.number) == cut_off


def test_a_training_that_ended_is_nothing_to_resume(settings: Settings, journal: Journal, base: Base) -> None:
    with pytest.raises(NothingToResume, match="no training was cut off"):
        take_up(settings, journal)
    correct(journal, "one")
    assert trainer(settings, journal, FakeTrainer()).start(base, is_forced=False).state == "promoted"
    with pytest.raises(NothingToResume, match="no training was cut off"):
        take_up(settings, journal)


def test_while_another_is_queued_none_is_resumed(
    settings: Settings, journal: Journal, base: Base, cut_off: Training
) -> None:
    last = resuming.last_cut_off(journal, settings.home / "jobs")
    assert journal.trainings.queue(base.sha256, is_automatic=True, is_forced=False) is not None
    with pytest.raises(TrainingRuns):
        trainer(settings, journal, FakeTrainer()).take_up(last, is_forced=False)


def test_where_its_examples_were_changed_the_background_begins_again(
    settings: Settings, journal: Journal, cut_off: Training
) -> None:
    drop_an_example(journal, Path())
    correct(journal, "two")
    ended = trainer(settings, journal, FakeTrainer()).resume(kill(journal, cut_off))
    assert ended.state == "promoted"
    folder = folder_of(settings.home, ended)
    assert Job.read(folder).corrections == tuple(e.id for e in journal.examples.live())


def test_a_new_training_deletes_the_checkpoints_of_those_before_also_those_that_were_set_aside(
    settings: Settings, journal: Journal, base: Base, cut_off: Training
) -> None:
    assert list((settings.home / "jobs").glob(f"*/{CHECKPOINTS}")) != []
    aside.move(folder_of(settings.home, cut_off) / CHECKPOINT)
    (folder_of(settings.home, cut_off) / CHECKPOINT).write_bytes(b"the next")
    trainer(settings, journal, FakeTrainer(error="no luck")).start(base, is_forced=False)
    assert list((settings.home / "jobs").glob(f"*/{CHECKPOINTS}*")) == []
    assert (folder_of(settings.home, cut_off) / JOB).exists()


def test_what_llama_cpp_contradicts_is_not_to_be_resumed(
    settings: Settings, journal: Journal, cut_off: Training
) -> None:
    last = resuming.last_cut_off(journal, settings.home / "jobs")
    liar = FakeTrainer(probes=(Probe((1, 2, 3), ((5, 99.0),)),))
    ended = trainer(settings, journal, liar).take_up(last, is_forced=False)
    assert ended.state == "failed"
    assert "--resume" not in outcome(settings.home, ended)
