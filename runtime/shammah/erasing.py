"""The path of an erasure: what goes, with every copy that was made of it, and what has learnt from it."""

import contextlib
import json
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from shammah import aside, checkpoints, copies, locks
from shammah.errors import CheckpointError, EraseBusy, EraseFailed, JournalError
from shammah.journal import Journal
from shammah.journal.erasing import Doomed
from shammah.learners import Kind
from shammah.learning import Heads
from shammah.records.adapters import Adapter
from shammah.records.heads import Checkpoint
from shammah.sight import HEAD_NAMES
from shammah_convert.failpoints import reach
from shammah_convert.files import write_whole
from shammah_convert.job import BadJob, Job

WAIT_SECONDS, PAUSE_SECONDS = 20.0, 0.2
"""For the background to end its work."""

COPIES = "cache/peft"
"""Of adapters, in the form that a server reads."""
FOLDERS = ("heads", "jobs", "adapters", "checkpoints", "metrics")
"""That hold nothing but what was asked, learnt and measured."""

LOG, TYPED = "worker.log", "history.jsonl"
"""What the background said, and what was typed in conversations: a line each, as JSON."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure takes, and what it leaves that has learnt from it.

    Attributes:
        doomed: Rows of the journal; all of them where `is_everything`.
        jobs: Folders of trainings that hold copies.
        checkpoints: Whose heads had learnt from what goes.
        adapters: Names of those that learnt from it; they are left, except where everything goes.
        copies: Of the whole database, from before its schema changed or it was damaged.
    """

    doomed: Doomed
    jobs: tuple[Path, ...]
    checkpoints: tuple[Checkpoint, ...]
    adapters: tuple[str, ...]
    is_everything: bool = False
    copies: tuple[Path, ...] = ()


def plan(home: Path, journal: Journal, questions: Iterable[int]) -> Erasure:
    """What goes with some questions; nothing is erased yet."""
    doomed = journal.erasing.doom(questions)
    taught = [c for c in journal.checkpoints.all() if doomed.lessons and _knows(journal, c, doomed.first_lesson)]
    return Erasure(
        doomed=doomed,
        jobs=tuple(job_folders(home, journal, doomed.examples)),
        checkpoints=tuple(taught),
        adapters=tuple(with_heirs(home, journal, journal.erasing.learnt_by(doomed.examples))),
        copies=tuple(copies.of(journal.path)),
    )


def plan_everything(home: Path, journal: Journal) -> Erasure:
    """The erasure of all that was asked, answered and learnt."""
    every = plan(home, journal, (question.number for question in journal.log.find()))
    jobs = tuple(sorted(folder for folder in (home / "jobs").glob("*") if folder.is_dir()))
    adapters = tuple(adapter.name for adapter in journal.adapters.all())
    kept = tuple(journal.checkpoints.all())
    return Erasure(every.doomed, jobs, kept, adapters, is_everything=True, copies=every.copies)


def carry_out(home: Path, journal: Journal, erasure: Erasure, kind: Kind) -> bool:
    """Erase, in an order in which a kill leaves what a second try finds.

    Returns:
        Whether the database was also written anew: its free pages may hold what was deleted before this otherwise.

    Raises:
        EraseBusy: A training or the background works on it.
        EraseFailed: A copy cannot be deleted.
        JournalError: The journal cannot be written.
    """
    try:
        with alone(home):
            _drop_copies(home, erasure.copies)
            if erasure.is_everything:
                _everything(home, journal)
            else:
                _some(home, journal, erasure, kind)
    except OSError as error:
        raise EraseFailed(f"not all of it could be erased: {error}") from error
    reach("erase.before_compaction")
    try:
        journal.erasing.compact()
    except JournalError:  # no room for a second file; what was erased now is overwritten already
        return False
    return True


def _some(home: Path, journal: Journal, erasure: Erasure, kind: Kind) -> None:
    for folder in erasure.jobs:
        reach("erase.before_folder")
        shutil.rmtree(folder)
    shutil.rmtree(home / COPIES, ignore_errors=True)  # they are made again where they are needed
    reach("erase.before_log")
    _forget_in_log(home / LOG, erasure.doomed.ids)
    _forget_typed(home / TYPED, {journal.question_at(number).text for number in erasure.doomed.questions})
    for checkpoint in erasure.checkpoints:
        journal.checkpoints.forget(checkpoint)
        reach("erase.before_folder")
        shutil.rmtree(checkpoint.folder, ignore_errors=True)
    if not erasure.doomed.lessons:
        journal.erasing.erase(erasure.doomed)
        return
    _drop_heads(home)
    journal.erasing.erase(erasure.doomed)
    reach("erase.before_heads")
    _drop_heads(home)  # whoever asked meanwhile has learnt them again
    with contextlib.suppress(OSError):  # no room: all is erased, and whoever asks next learns them
        for lineage in journal.erasing.lineages():
            for name in HEAD_NAMES:
                Heads(home, journal, lineage, kind).open(name)


def _drop_copies(home: Path, files: Iterable[Path]) -> None:
    """Delete copies of the database from earlier days, and checkpoints that could not be read."""
    for file in files:
        file.unlink(missing_ok=True)
    for folder in (home / "checkpoints").glob(f"*{aside.MARK}*"):
        shutil.rmtree(folder)


def _everything(home: Path, journal: Journal) -> None:
    journal.erasing.erase_everything()
    for folder in (home / name for name in (*FOLDERS, COPIES)):
        if folder.exists():
            reach("erase.before_folder")
            shutil.rmtree(folder)
    halves = home.glob(f"{TYPED}.*")  # of who was killed while it was shortened
    for file in (*home.glob("cache/general-*"), *halves, home / LOG, home / TYPED):
        file.unlink(missing_ok=True)


def _knows(journal: Journal, checkpoint: Checkpoint, lesson: int) -> bool:
    """Whether a checkpoint's heads may have learnt a lesson; those of one that cannot be read may."""
    try:
        heads = checkpoints.read(checkpoint).heads.values()
    except CheckpointError:
        return True
    adoption = journal.heads.adoption(checkpoint.lineage)
    taken_over = adoption.until if adoption else 0
    return any(kept.file is not None and max(kept.cursor, taken_over) >= lesson for kept in heads)


def job_folders(home: Path, journal: Journal, examples: Sequence[str]) -> Iterator[Path]:
    """The folders of trainings that hold some examples, by the journal's word or by their own."""
    seen = set(map(str, journal.erasing.trainings(examples)))
    for folder in sorted((home / "jobs").glob("*")):
        if folder.name in seen or any(_holds(file, examples) for file in folder.glob("*.jsonl")):
            yield folder


def _holds(file: Path, ids: Iterable[str]) -> bool:
    text = file.read_text("utf-8", "replace")
    return any(id in text for id in ids)


def with_heirs(home: Path, journal: Journal, names: Iterable[str]) -> list[str]:
    """Adapters, and those that went on from them: what the former learnt lives on in the latter. Oldest first."""
    affected, found = set(names), list[str]()
    files = {adapter.sha256 for adapter in journal.adapters.all() if adapter.name in affected}
    for adapter in journal.adapters.all():
        if adapter.name in affected or not files.isdisjoint(_gone_on_from(home, adapter)):
            files.add(adapter.sha256)
            found.append(adapter.name)
    return found


def _gone_on_from(home: Path, adapter: Adapter) -> list[str]:
    """sha256 of what an adapter's training went on from, as far as its job is still there."""
    try:
        job = Job.read(home / "jobs" / str(adapter.training))
    except BadJob:
        return []
    return [file.sha256 for file in job.active] if job.plan.continues else []


def _forget_typed(file: Path, texts: set[str]) -> None:
    """Take the lines out of what was typed that say what goes."""
    try:
        lines = file.read_text("utf-8", "replace").splitlines(keepends=True)
    except FileNotFoundError:
        return
    write_whole(file, "".join(line for line in lines if _typed(line) not in texts))
    file.chmod(0o600)


def _typed(line: str) -> str:
    try:
        return str(json.loads(line))
    except ValueError:
        return ""


def _forget_in_log(file: Path, ids: Iterable[str]) -> None:
    """Take the lines out of the worker's log that name what goes: a judge's reasons stand there."""
    try:
        lines = file.read_text("utf-8", "replace").splitlines(keepends=True)
    except FileNotFoundError:
        return
    gone = tuple(ids)
    file.write_text("".join(line for line in lines if not any(id in line for id in gone)), "utf-8")


def _drop_heads(home: Path) -> None:
    """Let every head be learnt again from the lessons that are left, also those that were set aside."""
    for folder in (home / "heads").glob("*"):
        with locks.waited_for(folder / "lock"):
            for file in (*folder.glob("*.npz*"), *folder.glob("contract.json")):
                file.unlink(missing_ok=True)


@contextlib.contextmanager
def alone(home: Path) -> Iterator[None]:
    """Keep trainings and the background away meanwhile; the background's work is waited for, for a while.

    Raises:
        EraseBusy: It did not end in time.
    """
    with locks.only_one(home / locks.TRAINING) as training:
        if training is None:
            raise EraseBusy(
                "a training works on copies of it", hint="Wait until it ends, or stop it: shammah train --cancel"
            )
        end = time.monotonic() + WAIT_SECONDS
        while True:
            with locks.only_one(home / locks.WORKER) as worker:
                if worker is not None:
                    yield
                    return
            if time.monotonic() >= end:
                raise EraseBusy("the background works on it", hint="Try again in a minute; nothing was erased.")
            time.sleep(PAUSE_SECONDS)
