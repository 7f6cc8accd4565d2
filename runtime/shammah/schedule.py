"""When a training starts by itself."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shammah import bases, locks
from shammah.errors import ShammahError, TrainerMissing, TrainingError, TrainingRuns
from shammah.journal import Journal
from shammah.launching import words
from shammah.records.adapters import Training
from shammah.settings import Settings, TrainerSettings

LIBRARIES = ("torch", "transformers", "peft", "accelerate", "shammah_trainer")
AFTER_FAILURE = timedelta(days=1)
MISSING = 'Nothing is trained: the trainer is not installed. Install it with: pip install "shammah[train]"'
_LOOK = f"import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, {LIBRARIES!r})))"


def is_installed(settings: Settings) -> bool:
    """Whether the trainer's libraries are where it is to run."""
    if not settings.trainer.python:
        return all(importlib.util.find_spec(name) for name in LIBRARIES)
    try:
        look = subprocess.run([settings.trainer.python, "-c", _LOOK], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return look.returncode == 0


def missing(new_feedback: int, new_examples: int, last: Training | None, settings: TrainerSettings) -> int | None:
    """How many more examples of the user's it takes until a training starts by itself; 0 starts one now.

    Args:
        new_feedback: Examples of the user's, with a target, that no attempt has seen.
        new_examples: The same from any source.
        last: The last attempt: one that failed is tried again after a day, or once the clock was set back.
        settings: None is returned where nothing starts by itself.
    """
    if not settings.automatic:
        return None
    has_waited = (
        last is not None
        and last.state == "failed"
        and not timedelta() <= datetime.now(UTC) - datetime.fromisoformat(last.finished or last.created) < AFTER_FAILURE
    )
    if new_examples >= settings.after_examples or has_waited:
        return 0
    return max(0, settings.after_feedback - new_feedback)


def check(settings: Settings, journal: Journal) -> None:
    """Refuse a training that somebody asks for, before anything is begun.

    Raises:
        TrainerMissing: The trainer's libraries are not there.
        TrainingError: There is nothing to learn.
        ConfigError: The launcher is none.
    """
    if not is_installed(settings):
        raise TrainerMissing("the trainer is not installed")
    if settings.trainer.launch:
        words(settings.trainer.python or sys.executable, settings.trainer.launch)
    check_file(settings)
    if not journal.examples.live(settings.examples.feedback, settings.examples.teacher):
        raise TrainingError(
            "there is nothing to learn yet",
            hint='Correct an answer first: shammah feedback critical "what was wrong" --answer "what is right"',
        )


def check_file(settings: Settings) -> None:
    """Check that there is a file to train on.

    Raises:
        TrainingError: A server runs the model, and no file of it is here.
    """
    if settings.model.server and not settings.model.path:
        raise TrainingError(
            f"the model runs at {settings.model.server}, and no file of it is here",
            hint="Set `model.path` to a GGUF of the same weights: it is trained, and its adapters go to the server.",
        )


def queue(
    settings: Settings,
    journal: Journal,
    is_forced: bool = False,
    most_memory_bytes: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> Training:
    """Queue a training that somebody asks for, for the background.

    Raises:
        TrainingError: It cannot begin, or another is under way.
    """
    check(settings, journal)
    base = bases.identify(journal, bases.wanted(settings), say)
    training = journal.trainings.queue(base.sha256, False, is_forced, most_memory_bytes)
    if training is None:
        raise TrainingRuns("another training is under way")
    return training


def counted(journal: Journal, settings: Settings) -> int | None:
    """How many more examples of the user's it takes, as the journal stands."""
    limits = settings.examples
    feedback = [example.id for example in journal.examples.live(limits.feedback, teacher_limit=0)]
    every = [example.id for example in journal.examples.live(limits.feedback, limits.teacher)]
    trainings = journal.trainings
    last = trainings.last() if every else None  # where there is nothing to learn, nothing is tried again
    return missing(trainings.unseen(feedback), trainings.unseen(every), last, settings.trainer)


def open_training(home: Path, journal: Journal) -> Training | None:
    """The training that is queued or under way; one whose process was killed is closed, or queued again, first."""
    found = journal.trainings.open_one()
    if found is None or found.state == "queued":
        return found
    with locks.only_one(home / locks.TRAINING) as lock:
        if lock is not None:
            journal.trainings.settle_abandoned()
    return journal.trainings.open_one()


def consider(journal: Journal, settings: Settings) -> str:
    """Queue a training where one is due; a line for the user where there is something to say."""
    if (
        not settings.worker.enabled
        or counted(journal, settings) != 0
        or open_training(settings.home, journal) is not None
    ):
        return ""
    if settings.model.server and not settings.model.path:
        return ""  # there is no file to train on
    if not is_installed(settings):
        return MISSING if journal.notices.raise_flag("trainer_missing_said") else ""
    try:
        base = bases.identify(journal, bases.wanted(settings))
    except ShammahError as error:  # what led here is done, and is not lost over it
        return f"Training cannot start: {error}"
    journal.trainings.queue(base.sha256, is_automatic=True, is_forced=False)
    return ""
