"""`shammah train`: learn from the corrections, now."""

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shammah import config
from shammah.cli import complete
from shammah.cli.screen import json_line, say, table_columns, tell, write
from shammah.errors import TooLittleMemory, TrainingRuns, UsageError
from shammah.settings import Settings

if TYPE_CHECKING:
    from shammah.journal import Journal
    from shammah.records.adapters import Training
    from shammah.records.bases import Base

Background = Annotated[bool, typer.Option("--background", help="Return at once; the background trains.")]
Force = Annotated[bool, typer.Option("--force", help="Use the adapter even where the gate would refuse it.")]
Cancel = Annotated[bool, typer.Option("--cancel", help="Stop the training that is under way.")]
MaxMemory = Annotated[
    str | None, typer.Option("--max-memory", metavar="AMOUNT", help="The most that it may take, such as 3GB.")
]
Continue = Annotated[
    bool | None, typer.Option("--continue/--afresh", help="Start from what is active, or afresh.", show_default=False)
]
EasyFirst = Annotated[
    bool | None,
    typer.Option("--easy-first/--all-at-once", help="Learn the easiest examples first, or all.", show_default=False),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the last training, which was cut off.")]
Launch = Annotated[
    str | None,
    typer.Option(
        "--launch", metavar="COMMAND", help='Start it by this: "accelerate launch --multi_gpu --num_processes 2".'
    ),
]
LearningRate = Annotated[
    float | None, typer.Option("--learning-rate", metavar="RATE", help="Of AdamW; 0 derives it from the model's width.")
]
Batch = Annotated[int | None, typer.Option("--batch", metavar="ROWS", help="Examples a step; 0 takes 12.")]
Epochs = Annotated[int | None, typer.Option("--epochs", help="The most for every ten corrections; 0 allows 40.")]
Rank = Annotated[int | None, typer.Option("--rank", help="Of the adapter; 0 takes 16.")]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="PATH", help="The GGUF that is to learn.", autocompletion=complete.models),
]

WAYS = {
    "continue_active": "--continue",
    "easy_first": "--easy-first",
    "learning_rate": "--learning-rate",
    "batch": "--batch",
    "epochs": "--epochs",
    "rank": "--rank",
}
"""How to learn: settings of the trainer, and the flags that say it for one training."""


def train(
    background: Background = False,
    force: Force = False,
    cancel: Cancel = False,
    max_memory: MaxMemory = None,
    continue_active: Continue = None,
    easy_first: EasyFirst = None,
    resume: Resume = False,
    launch: Launch = None,
    learning_rate: LearningRate = None,
    batch: Batch = None,
    epochs: Epochs = None,
    rank: Rank = None,
    model: Model = None,
) -> None:
    """Train an adapter on what you corrected; where it is better, it answers from the next question on."""
    from shammah import bases, schedule
    from shammah.journal import Journal

    wanted = (continue_active, easy_first, learning_rate, batch, epochs, rank)
    given: dict[str, Any] = {f"trainer__{k}": way for k, way in zip(WAYS, wanted, strict=True) if way is not None}
    settings = config.load(model__path=model, trainer__max_memory=max_memory, trainer__launch=launch, **given)
    ways = [key for key in WAYS if f"trainer__{key}" in given]
    asked = Asked(force, settings.trainer.max_memory.bytes if max_memory else 0, bool(launch), ways)
    _check_ways(ways, background, resume)
    if cancel and (ways or background or resume or force or launch or max_memory):
        raise UsageError("--cancel stands alone", hint="Leave out the other flags.")
    if model:
        bases.wanted(settings)  # before all that a training needs beside it
    with Journal(settings.home) as journal:
        for notice in journal.notices.take():
            say(notice)
        if cancel:
            _cancel(settings.home, journal)
        elif (running := schedule.open_training(settings.home, journal)) is not None:
            _join(settings, journal, asked, running, background)
        elif resume:
            _finish(_resume(settings, journal, asked, background), settings.home, journal)
        elif background:
            _queue(settings, journal, asked)
        else:
            _finish(_train(settings, journal, asked), settings.home, journal)


def _check_ways(ways: Sequence[str], is_background: bool, is_resumed: bool) -> None:
    """Refuse to say how to learn where this process is not the one that plans it."""
    if ways and (is_background or is_resumed):
        if is_resumed:
            raise UsageError("--resume goes on as it was planned", hint="Leave the flag out, or begin a new training.")
        raise UsageError(
            "--background goes by what config.toml says of how to learn",
            hint=f"Set it there (shammah config set trainer.{ways[0]} VALUE), or leave the flag out.",
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What the flags want of a training.

    Attributes:
        most_memory_bytes: 0 leaves it to the settings.
        ways: How to learn, as settings of the trainer.
    """

    is_forced: bool
    most_memory_bytes: int
    is_launched: bool = False
    ways: Sequence[str] = ()


def _join(settings: Settings, journal: "Journal", asked: Asked, running: "Training", is_background: bool) -> None:
    """Take over a training that waits, or watch the one that is under way, where that is what is asked for."""
    if running.state == "queued" and not is_background:
        _finish(_take(settings, journal, asked, running), settings.home, journal)
    elif flag := _ignored(journal, running, asked):
        raise TrainingRuns(f"training {running.number} is under way without this {flag}")
    elif is_background:
        say(f"Training {running.number} is {running.state} already; watch it with `shammah train`.")
    elif asked.is_forced and not running.is_forced:
        raise TrainingRuns(f"training {running.number} is under way without --force")
    else:
        _finish(_attach(settings, journal, running), settings.home, journal)


def _ignored(journal: "Journal", running: "Training", asked: Asked) -> str:
    """Which flag an open training does not heed; empty where there is none."""
    if asked.most_memory_bytes and not _bounds(journal, running, asked):
        return "--max-memory"
    if asked.ways:
        return WAYS[asked.ways[0]]
    return "--launch" if asked.is_launched else ""


def _bounds(journal: "Journal", running: "Training", asked: Asked) -> bool:
    """Whether an open training stays within what is asked, now at the latest."""
    is_so = running.most_memory_bytes == asked.most_memory_bytes
    return is_so or journal.trainings.bound_memory(running, asked.most_memory_bytes)


def _cancel(home: Path, journal: "Journal") -> None:
    from shammah import following

    stopped = following.cancel(home, journal)
    say("No training is under way." if stopped is None else f"Training {stopped.number} is told to stop.")


def _queue(settings: Settings, journal: "Journal", asked: Asked) -> None:
    from shammah import schedule, worker

    if asked.is_launched:
        raise UsageError("--launch trains while you wait", hint="Leave out --background, or set trainer.launch.")
    training = schedule.queue(settings, journal, asked.is_forced, asked.most_memory_bytes, say)
    worker.start(settings.home, settings.offline)
    say(f"Training {training.number} runs in the background; watch it with `shammah train`.")


def _resume(settings: Settings, journal: "Journal", asked: Asked, is_background: bool) -> "Training":
    """Go on with the last training, which was cut off."""
    from shammah import resuming

    if is_background:
        raise UsageError("--resume trains while you wait", hint="Leave out --background.")
    if asked.most_memory_bytes:
        raise UsageError("--resume goes on as it was planned", hint="Leave out --max-memory, or begin a new training.")
    return _train(settings, journal, asked, cut_off=resuming.last_cut_off(journal, settings.home / "jobs"))


def _train(
    settings: Settings,
    journal: "Journal",
    asked: Asked,
    queued: "Training | None" = None,
    cut_off: "Training | None" = None,
) -> "Training":
    """Train in this process's name, what is queued or was cut off, where it is given; Ctrl-C leaves all as it was."""
    from shammah import schedule
    from shammah.assembly import Parts
    from shammah.cli.progress import progress
    from shammah.following import outcome
    from shammah.hardware import BusyMeter
    from shammah.training import Trainer

    schedule.check(settings, journal)
    parts = Parts(settings, journal, BusyMeter(), say)
    _check_memory(settings.home, journal, parts.base if queued is None else journal.bases.find(queued.base))
    if queued is not None:
        journal.trainings.take_over(queued, asked.is_forced)
        if asked.most_memory_bytes:
            journal.trainings.bound_memory(queued, asked.most_memory_bytes)
            queued = journal.trainings.at(queued.number)
    with progress() as shown:
        trainer = Trainer(settings, journal, parts.open_bare, shown.hear, parts.paraphraser())
        try:
            if queued is not None:
                return trainer.resume(queued)
            if cut_off is not None:
                return trainer.take_up(cut_off, asked.is_forced)
            return trainer.start(parts.base, asked.is_forced, asked.most_memory_bytes)
        except KeyboardInterrupt:
            last = journal.trainings.last()
            say(outcome(settings.home, last) if last else "Interrupted; everything is as it was.")
            raise


def _take(settings: Settings, journal: "Journal", asked: Asked, queued: "Training") -> "Training":
    """Do what is queued, or watch whoever began it meanwhile."""
    from shammah.following import folder_of
    from shammah_convert.job import JOB

    if asked.ways and (folder_of(settings.home, queued) / JOB).exists():
        raise TrainingRuns(
            f"training {queued.number} goes on as it was planned",
            hint="Leave out what says how to learn, or stop it with `shammah train --cancel`.",
        )
    try:
        return _train(settings, journal, asked, queued)
    except TrainingRuns:
        return _attach(settings, journal, queued)


def _check_memory(home: Path, journal: "Journal", base: "Base | None") -> None:
    """Refuse, with numbers, what cannot fit; the trainer plans with what is there."""
    from shammah import admission, memory

    if base is None:  # the training says so
        return
    wish = admission.Wish("training", admission.training_bytes(base.size), is_awaited=True)
    decision = memory.decide(home, journal, wish)
    if isinstance(decision, admission.Refuse):
        raise TooLittleMemory(decision.reason)


def _attach(settings: Settings, journal: "Journal", running: "Training") -> "Training":
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
            tell(f"\n{table(read(home, ended.number), table_columns())}\n")


def _finish(ended: "Training", home: Path, journal: "Journal") -> None:
    """Say how it ended, and end with 1 where it brought nothing."""
    from shammah.following import outcome

    line = outcome(home, ended)
    if sys.stdout.isatty():
        _show_report(ended, home)
        tell(line)
    else:
        result: dict[str, Any] = {"event": ended.state, "training": ended.number, "adapter": ended.adapter}
        write(json_line(result | {"reason": ended.reason}))
        say(line)
    journal.notices.heard(ended.topic, line)
    if ended.state != "promoted":
        raise typer.Exit(1)
