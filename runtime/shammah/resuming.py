"""What a training that was cut off left behind, and whether it can go on from there."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shammah import adapters, bases
from shammah.errors import NothingToResume, TrainingError
from shammah.freezing import Frozen
from shammah.journal import Journal
from shammah.quarantine import is_filling, is_outside
from shammah.records.adapters import Training
from shammah.records.bases import Base
from shammah_convert import examples
from shammah_convert.examples import Example
from shammah_convert.job import CHECKPOINTS, EXAMPLES, HELD_OUT, AdapterFile, Job

CHANGED = "examples that it learnt were changed meanwhile; train again"
REPLACED = "another adapter was made active meanwhile; train again"


@dataclass(frozen=True, slots=True)
class Work:
    """What a training does: its job, as it is written in its folder, and the examples that it froze."""

    job: Job
    frozen: Frozen


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a job folder."""
    return list(folder.glob(CHECKPOINTS))


def drop_checkpoints(folders: Path) -> None:
    """Delete the checkpoints of all job folders, also halves that a kill left."""
    for checkpoint in folders.glob(f"*/{CHECKPOINTS}*"):
        checkpoint.unlink(missing_ok=True)


def left_by(training: Training, folder: Path) -> Work | None:
    """What a training left; None without a checkpoint, or where a job file is missing or not what was written."""
    if not checkpoints(folder):
        return None
    try:
        job, learnt = Job.read(folder), (folder / EXAMPLES).read_bytes()
        kept = [example for example in examples.read(learnt.decode()) if not is_filling(example)]
        taught = tuple(example.id for example in kept if is_outside(example))
        frozen = Frozen(
            learnt=kept,
            held_out=list(examples.read((folder / HELD_OUT).read_text("utf-8"))),
            corrections=tuple(id for id in job.corrections if id not in taught),
            corrected=frozenset(),  # asked for while the job files are written, and those are there
            taught=taught,
        )
    except (OSError, ValueError):  # BadJob and BadExample are ValueErrors
        return None
    is_whole = hashlib.sha256(learnt).hexdigest() == job.examples_sha256
    return Work(job, frozen) if is_whole and job.base_sha256 == training.base else None


def changes(journal: Journal, work: Work) -> list[str]:
    """What happened since that makes a training's candidate one for yesterday."""
    found = []
    live = {example.id: _unscaled(example) for example in journal.examples.live()}
    if any(live.get(example.id) != _unscaled(example) for example in work.frozen.learnt):
        found.append(CHANGED)
    if _contents(adapters.active_files(journal, work.job.base_sha256)) != _contents(work.job.active):
        found.append(REPLACED)
    return found


def _unscaled(example: Example) -> Example:
    """What a job scales down of what came from outside is no change."""
    return replace(example, weight=1.0) if is_outside(example) else example


def _contents(files: Sequence[AdapterFile]) -> list[tuple[str, float]]:
    """What is applied, whatever it is called: another name is no other adapter."""
    return [(file.sha256, file.scale) for file in files]


def base_of(journal: Journal, training: Training) -> Base:
    """The model that is trained, if it is still the file that was recorded.

    Raises:
        TrainingError: It is not.
    """
    base = journal.bases.find(training.base)
    if base is None or not Path(base.path).is_file():
        raise TrainingError("the model that was to be trained is gone")
    if bases.identify(journal, Path(base.path)).sha256 != training.base:
        raise TrainingError("the model that was to be trained was replaced")
    return base


def last_cut_off(journal: Journal, jobs: Path) -> Training:
    """The last training, where it was killed, interrupted or failed, and can go on from a checkpoint.

    Args:
        journal: Of the home.
        jobs: The folder of all job folders.

    Raises:
        NothingToResume: It cannot; the text says why.
    """
    last = journal.trainings.last()
    if last is None or last.state not in ("failed", "cancelled"):
        raise NothingToResume("no training was cut off")
    work = left_by(last, jobs / str(last.number))
    if work is None:
        raise NothingToResume(f"training {last.number} left no checkpoint that can be used")
    if found := changes(journal, work):
        raise NothingToResume(f"training {last.number} cannot go on: {'; '.join(found)}")
    try:
        base_of(journal, last)
    except TrainingError as error:
        raise NothingToResume(f"training {last.number} cannot go on: {error}") from error
    return last
