"""`train`: learn what was accepted and corrected, and see what that brought."""

import time
from datetime import datetime

from shammah import schedule, worker
from shammah.errors import TrainerMissing, TrainingError, TrainingRuns
from shammah.following import folder_of
from shammah.records.adapters import Training
from shammah.records.heads import Fit
from shammah.sight import HEAD_NAMES
from shammah.teaching.analyze import analyze
from shammah.teaching.classroom import Classroom
from shammah.teaching.requests import AnalyzeModel, Train
from shammah.teaching.results import NO_LOSSES, Losses, Trained
from shammah_convert.job import BadJob, Report


def train(room: Classroom, asked: Train) -> Trained:
    """Train, and wait for the end or leave it to the background.

    Raises:
        TrainerMissing: The trainer's libraries are not installed.
        TrainingError: There is nothing to learn.
        TrainingRuns: Another training is under way.
        ShammahError: The model that is to learn is not there.
    """
    _check(room)
    if room.is_kept or not asked.wait:
        return _queued(room)
    before = analyze(room, AnalyzeModel()).success
    ended = room.trainer().start(room.base, is_forced=False)
    router, validator = (room.heads.refit(name, room.embed) for name in HEAD_NAMES)
    started = time.monotonic()
    is_open = room.reload()
    reload_seconds = time.monotonic() - started
    is_promoted = ended.state == "promoted"
    return Trained(
        training=ended.number,
        state=ended.state,
        adapter=ended.adapter,
        reason=ended.reason,
        seconds=_seconds(ended),
        router=_of_head(router),
        validator=_of_head(validator),
        generator=_of_generator(room, ended),
        hot_reload=is_promoted and is_open,
        reload_seconds=round(reload_seconds, 4) if is_promoted and is_open else None,
        success_before=before,
        success_after=analyze(room, AnalyzeModel()).success if is_promoted else before,
    )


def _check(room: Classroom) -> None:
    limits = room.settings.examples
    if not schedule.is_installed(room.settings):
        raise TrainerMissing("the trainer is not installed")
    schedule.check_file(room.settings)
    if not room.journal.examples.live(limits.feedback, limits.teacher):
        waiting = room.journal.quarantine.waiting()
        hint = "`shammah examples accept --source DOOR` lets them in." if waiting else "Generate or correct some first."
        raise TrainingError(f"there is nothing to learn yet; {waiting} examples wait to be accepted", hint=hint)
    if (running := schedule.open_training(room.settings.home, room.journal)) is not None:
        raise TrainingRuns(f"training {running.number} is {running.state}")


def _queued(room: Classroom) -> Trained:
    training = room.journal.trainings.queue(room.base.sha256, is_automatic=False, is_forced=False)
    if training is None:
        raise TrainingRuns("another training is under way")
    worker.start(room.settings.home, room.settings.offline)
    return Trained(training.number, training.state, None, "it runs in the background")


def _seconds(ended: Training) -> float | None:
    if ended.finished is None:
        return None
    span = datetime.fromisoformat(ended.finished) - datetime.fromisoformat(ended.created)
    return round(span.total_seconds(), 3)


def _of_head(fit: Fit) -> Losses:
    return Losses(fit.early_loss, fit.late_loss)


def _of_generator(room: Classroom, ended: Training) -> Losses:
    """Of what was to be learnt, as far as there is a report."""
    try:
        learnt = Report.read(folder_of(room.settings.home, ended)).learnt
    except BadJob:
        return NO_LOSSES
    return Losses(learnt.before.loss, learnt.after.loss)
