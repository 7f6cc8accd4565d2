"""A training as others see it: where its files are, how far it is, how to stop it, and how it ended."""

import time
from pathlib import Path

from shammah import memory, schedule
from shammah.child import POLL_SECONDS, Hear, new_lines
from shammah.journal import Journal
from shammah.journal.trainings import OPEN
from shammah.records.adapters import Training
from shammah.resuming import checkpoints
from shammah_convert.job import CANCEL, PROGRESS, BadJob, Report


def folder_of(home: Path, training: Training) -> Path:
    """The job folder of a training."""
    return memory.job_folder(home, training.number)


def cancel(home: Path, journal: Journal) -> Training | None:
    """Ask the open training to stop; None where there is none. A queued one is over at once."""
    training = schedule.open_training(home, journal)
    if training is not None and training.state == "queued":
        journal.trainings.note(training, "cancelled", "it was cancelled")
    elif training is not None:
        folder = folder_of(home, training)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / CANCEL).touch()
    return training


def watch(home: Path, journal: Journal, training: Training, hear: Hear) -> Training:
    """Follow a training of another process, from its first line, until it ends; the training as it ended.

    Raises:
        KeyboardInterrupt: Whoever watched had enough.
    """
    file, stream = folder_of(home, training) / PROGRESS, None
    try:
        while True:
            training = journal.trainings.at(training.number)
            # Queued again after its process was killed: whoever does it next may be long in coming.
            is_over = training.state not in OPEN or (stream is not None and training.state == "queued")
            if stream is None and training.state != "queued" and file.exists():
                stream = file.open(encoding="utf-8", errors="replace")
            for line in new_lines(stream) if stream else ():
                hear(line)
            if is_over:
                return training
            schedule.open_training(home, journal)  # closes it where its process was killed
            time.sleep(POLL_SECONDS)
    finally:
        if stream is not None:
            stream.close()


def _learnt(home: Path, training: Training) -> str:
    """How much was learnt, as far as the report is still there."""
    try:
        report = Report.read(folder_of(home, training))
    except BadJob:
        return ""
    before, after = report.learnt.before, report.learnt.after
    left_out = f", {len(report.left_out)} are too long to learn" if report.left_out else ""
    return f"{after.exact} of {after.rows} are answered as they should be ({before.exact} before){left_out}; "


def _more(home: Path, training: Training) -> str:
    """What can still be done with a training that was cut off."""
    can_resume = checkpoints(folder_of(home, training))
    return "; `shammah train --resume` goes on from its last checkpoint." if can_resume else ""


def outcome(home: Path, training: Training) -> str:
    """How a training ended, in one line."""
    match training.state:
        case "promoted":
            undo = "`shammah adapters rollback` undoes it."
            return f"Trained: {_learnt(home, training)}{training.adapter} is active. {undo}"
        case "refused":
            more = "`shammah adapters report` has the numbers, `shammah train --force` overrides."
            return f"Training {training.number} is not used: {training.reason}. {more}"
        case "cancelled":
            return f"Training {training.number} was cancelled; everything is as it was{_more(home, training) or '.'}"
        case "queued":
            later = "the background goes on with it, or `shammah train` at once"
            return f"The process of training {training.number} was killed; {later}."
        case _:
            again = _more(home, training) or "; once that is mended, `shammah train` begins anew."
            return f"Training {training.number} failed: {training.reason}{again}"
