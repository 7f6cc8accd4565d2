"""`shammah train`: learn from the corrections, now."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shammah import config
from shammah.cli.screen import say, write
from shammah.errors import TrainerMissing, TrainingError, TrainingRuns

if TYPE_CHECKING:
    from shammah.journal import Journal
    from shammah.records import Training

Background = Annotated[bool, typer.Option("--background", help="Return at once; the background trains.")]
Force = Annotated[bool, typer.Option("--force", help="Use the adapter even where the gate would refuse it.")]
Cancel = Annotated[bool, typer.Option("--cancel", help="Stop the training that is under way.")]
Model = Annotated[str | None, typer.Option("--model", metavar="PATH", help="The GGUF that is to learn.")]


def train(background: Background = False, force: Force = False, cancel: Cancel = False, model: Model = None) -> None:
    """Train an adapter on what you corrected; where it is better, it answers from the next question on."""
    from shammah.journal import Journal

    settings = config.load(model__path=model)
    with Journal(settings.home) as journal:
        for notice in journal.take_notices():
            say(notice)
        if cancel:
            _cancel(settings.home, journal)
        elif (running := _running(settings.home, journal)) is not None:
            say(f"Training {running.number} is under way; Ctrl-C leaves it to itself.")
            _finish(_attach(settings, journal, running), settings.home)
        elif background:
            _queue(settings, journal, force)
        else:
            _finish(_train(settings, journal, force), settings.home)


def _cancel(home: Path, journal: "Journal") -> None:
    from shammah import training

    stopped = training.cancel(home, journal)
    say("No training is under way." if stopped is None else f"Training {stopped.number} is told to stop.")


def _running(home: Path, journal: "Journal") -> "Training | None":
    """The training that is queued or under way; one whose process was killed is closed."""
    from shammah import locks

    running = journal.trainings.open_one()
    if running is not None and running.state != "queued" and not locks.is_held(home / locks.TRAINING):
        journal.trainings.fail_abandoned()
        return None
    return running


def _queue(settings: config.Settings, journal: "Journal", is_forced: bool) -> None:
    from shammah import bases, worker

    _check(settings, journal)
    base = bases.identify(journal, bases.resolve(settings.model.path), say)
    training = journal.trainings.queue(base.sha256, is_automatic=False, is_forced=is_forced)
    if training is None:
        raise TrainingRuns("another training is under way")
    worker.start(settings.home, settings.offline)
    say(f"Training {training.number} runs in the background; watch it with `shammah train`.")


def _train(settings: config.Settings, journal: "Journal", is_forced: bool) -> "Training":
    """Train in this process's name; Ctrl-C leaves everything as it was."""
    from shammah.assembly import Parts
    from shammah.cli.progress import progress
    from shammah.hardware import BusyMeter
    from shammah.training import Trainer

    _check(settings, journal)
    parts = Parts(settings, journal, BusyMeter(), say)
    with progress() as shown:
        try:
            return Trainer(settings, journal, parts.open_bare, shown.hear).start(parts.base, is_forced)
        except KeyboardInterrupt:
            say("Interrupted; everything is as it was.")
            raise


def _check(settings: config.Settings, journal: "Journal") -> None:
    """Refuse before anything is begun."""
    from shammah import schedule

    if not schedule.is_installed(settings):
        raise TrainerMissing("the trainer is not installed")
    if not journal.examples.live(settings.examples.feedback, settings.examples.teacher):
        raise TrainingError(
            "there is nothing to learn yet",
            hint='Correct an answer first: shammah feedback critical "what was wrong" --answer "what is right"',
        )


def _attach(settings: config.Settings, journal: "Journal", running: "Training") -> "Training":
    """Watch a training of another process until it ends; Ctrl-C ends the watching alone."""
    from shammah import worker
    from shammah.cli.progress import progress
    from shammah.training import watch

    if running.state == "queued" and settings.worker.enabled:
        worker.start(settings.home, settings.offline)
    with progress() as shown:
        try:
            return watch(settings.home, journal, running, shown.hear)
        except KeyboardInterrupt:
            say(f"Training {running.number} goes on; `shammah train --cancel` stops it.")
            raise


def _finish(ended: "Training", home: Path) -> None:
    """Say how it ended, and end with 1 where it brought nothing."""
    from shammah.training import outcome

    line = outcome(home, ended)
    if sys.stdout.isatty():
        write(line)
    else:
        result: dict[str, Any] = {"event": ended.state, "training": ended.number, "adapter": ended.adapter}
        write(json.dumps(result | {"reason": ended.reason}, ensure_ascii=False))
        say(line)
    if ended.state != "promoted":
        raise typer.Exit(1)
