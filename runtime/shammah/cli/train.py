"""`shammah train`: learn from the corrections, now."""

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shammah import config
from shammah.cli.screen import harmless, say, write
from shammah.errors import TrainerMissing, TrainingError, TrainingRuns, UsageError

if TYPE_CHECKING:
    from shammah.journal import Journal
    from shammah.records import Training

Background = Annotated[bool, typer.Option("--background", help="Return at once; the background trains.")]
Force = Annotated[bool, typer.Option("--force", help="Use the adapter even where the gate would refuse it.")]
Cancel = Annotated[bool, typer.Option("--cancel", help="Stop the training that is under way.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the last training, which was cut off.")]
Model = Annotated[str | None, typer.Option("--model", metavar="PATH", help="The GGUF that is to learn.")]


def train(
    background: Background = False,
    force: Force = False,
    cancel: Cancel = False,
    resume: Resume = False,
    model: Model = None,
) -> None:
    """Train an adapter on what you corrected; where it is better, it answers from the next question on."""
    from shammah import schedule
    from shammah.journal import Journal

    settings = config.load(model__path=model)
    with Journal(settings.home) as journal:
        for notice in journal.take_notices():
            say(notice)
        if cancel:
            _cancel(settings.home, journal)
        elif (running := schedule.open_training(settings.home, journal)) is None:
            if resume:
                _finish(_resume(settings, journal, force, background), settings.home)
            elif background:
                _queue(settings, journal, force)
            else:
                _finish(_train(settings, journal, force), settings.home)
        elif background:
            say(f"Training {running.number} is {running.state} already; watch it with `shammah train`.")
        elif running.state == "queued":
            _finish(_take(settings, journal, force, running), settings.home)
        elif force and not running.is_forced:
            raise TrainingRuns(f"training {running.number} is under way without --force")
        else:
            _finish(_attach(settings, journal, running), settings.home)


def _cancel(home: Path, journal: "Journal") -> None:
    from shammah import following

    stopped = following.cancel(home, journal)
    say("No training is under way." if stopped is None else f"Training {stopped.number} is told to stop.")


def _queue(settings: config.Settings, journal: "Journal", is_forced: bool) -> None:
    from shammah import bases, worker

    _check(settings, journal)
    base = bases.identify(journal, bases.resolve(settings.model.path), say)
    training = journal.trainings.queue(base.sha256, is_automatic=False, is_forced=is_forced)
    if training is None:
        raise TrainingRuns("another training is under way")
    worker.start(settings.home, settings.offline)
    say(f"Training {training.number} runs in the background; watch it with `shammah train`.")


def _resume(settings: config.Settings, journal: "Journal", is_forced: bool, is_background: bool) -> "Training":
    """Go on with the last training, which was cut off."""
    from shammah import resuming

    if is_background:
        raise UsageError("--resume trains while you wait", hint="Leave out --background.")
    return _train(settings, journal, is_forced, cut_off=resuming.last_cut_off(journal, settings.home / "jobs"))


def _train(
    settings: config.Settings,
    journal: "Journal",
    is_forced: bool,
    queued: "Training | None" = None,
    cut_off: "Training | None" = None,
) -> "Training":
    """Train in this process's name, what is queued or was cut off, where it is given; Ctrl-C leaves all as it was."""
    from shammah.assembly import Parts
    from shammah.cli.progress import progress
    from shammah.following import outcome
    from shammah.hardware import BusyMeter
    from shammah.training import Trainer

    _check(settings, journal)
    parts = Parts(settings, journal, BusyMeter(), say)
    if queued is not None:
        journal.trainings.take_over(queued, is_forced)
    with progress() as shown:
        trainer = Trainer(settings, journal, parts.open_bare, shown.hear, parts.paraphraser())
        try:
            if queued is not None:
                return trainer.resume(queued)
            return trainer.take_up(cut_off, is_forced) if cut_off else trainer.start(parts.base, is_forced)
        except KeyboardInterrupt:
            last = journal.trainings.last()
            say(outcome(settings.home, last) if last else "Interrupted; everything is as it was.")
            raise


def _take(settings: config.Settings, journal: "Journal", is_forced: bool, queued: "Training") -> "Training":
    """Do what is queued, or watch whoever began it meanwhile."""
    try:
        return _train(settings, journal, is_forced, queued)
    except TrainingRuns:
        return _attach(settings, journal, queued)


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
    from shammah.cli.progress import progress
    from shammah.following import watch

    say(f"Training {running.number} is under way; Ctrl-C leaves it to itself.")
    with progress() as shown:
        try:
            return watch(settings.home, journal, running, shown.hear)
        except KeyboardInterrupt:
            say(f"Training {running.number} goes on; `shammah train --cancel` stops it.")
            raise


def _show_report(ended: "Training", home: Path) -> None:
    """What was measured, where it came so far."""
    from shammah.cli.report import read
    from shammah.reports.facts import table

    if ended.state in ("promoted", "refused"):
        with contextlib.suppress(UsageError):  # whoever deleted it does not want it
            write(f"\n{harmless(table(read(home, ended.number)))}\n")


def _finish(ended: "Training", home: Path) -> None:
    """Say how it ended, and end with 1 where it brought nothing."""
    from shammah.following import outcome

    line = outcome(home, ended)
    if sys.stdout.isatty():
        _show_report(ended, home)
        write(line)
    else:
        result: dict[str, Any] = {"event": ended.state, "training": ended.number, "adapter": ended.adapter}
        write(json.dumps(result | {"reason": ended.reason}, ensure_ascii=False))
        say(line)
    if ended.state != "promoted":
        raise typer.Exit(1)
