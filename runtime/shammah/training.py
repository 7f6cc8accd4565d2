"""The path of a training: freeze the examples, run the trainer as a child, check what it made, make it active."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from shammah import adapters, bases, candidate, gate, general, hardware, locks, schedule
from shammah.config import Settings
from shammah.errors import Interrupted, ShammahError, TrainingError, TrainingRuns
from shammah.freezing import Frozen, freeze, ids
from shammah.generation import Stop
from shammah.journal import Journal
from shammah.journal.trainings import OPEN
from shammah.locks import Lock, only_one
from shammah.records import Adapter, Base, Training
from shammah.reports import PAGE, Filed
from shammah.reports.page import page
from shammah_convert import examples
from shammah_convert.examples import Example
from shammah_convert.files import write_whole
from shammah_convert.job import (
    ADAPTER,
    CANCEL,
    CANCELLED,
    EXAMPLES,
    GENERAL,
    HELD_OUT,
    PARAPHRASES,
    PROGRESS,
    REPLAY,
    AdapterFile,
    BadJob,
    Job,
    Report,
)

if TYPE_CHECKING:
    from shammah.local import LocalModel

ADAPTER_NAME = "corrections-v{}"
POLL_SECONDS = 0.1
GRACE_SECONDS = 5.0
# OpenMP's threads are to sleep while they wait: beside another process, spinning made a fit 20 to 150 times slower.
# And transformers has nothing to ask any hub.
TRAINER_ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1"}

Hear = Callable[[dict[str, Any]], None]
"""Hears each line of progress."""

Paraphrase = Callable[[Sequence[Example], Stop], list[Example]]
"""Says the corrections' questions in other words; nothing where nobody can."""


def folder_of(home: Path, training: Training) -> Path:
    """The job folder of a training."""
    return home / "jobs" / str(training.number)


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


@dataclass(frozen=True, slots=True)
class Trainer:
    """Whoever trains for a home: the parent of the trainer's process.

    Attributes:
        open_model: Opens a base without adapters; the caller closes it.
        hear: Hears each line of progress.
        paraphrase: None where nothing may leave the machine for it.
    """

    settings: Settings
    journal: Journal
    open_model: "Callable[[Base], LocalModel]"
    hear: Hear = lambda _: None
    paraphrase: Paraphrase | None = None

    def start(self, base: Base, is_forced: bool) -> Training:
        """Train while somebody waits; the training as it ended.

        Raises:
            TrainingRuns: Another training of this home is under way.
            KeyboardInterrupt: It was interrupted; everything is as it was.
        """
        with self._alone() as lock:
            self.journal.trainings.fail_abandoned()
            training = self.journal.trainings.begin(base.sha256, is_forced)
            if training is None:
                raise TrainingRuns("a training is queued")
            return self._run(training, lock)

    def resume(self, training: Training) -> Training:
        """Do a queued training, or one whose process was killed, from its beginning; the training as it ended.

        Raises:
            TrainingRuns: Another training of this home is under way.
            KeyboardInterrupt: It was interrupted; everything is as it was.
        """
        with self._alone() as lock:
            self.journal.trainings.fail_abandoned(but=training)
            return self._run(training, lock)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[Lock]:
        with only_one(self.settings.home / locks.TRAINING) as lock:
            if lock is None:
                raise TrainingRuns("another training is under way")
            yield lock

    def _run(self, training: Training, lock: Lock) -> Training:
        """Train, check, and make the adapter active, or record why not."""
        try:
            self._make(training, lock)
        except KeyboardInterrupt:
            self.journal.trainings.note(training, "cancelled", "it was interrupted")
            raise
        except Interrupted as error:
            self.journal.trainings.note(training, "cancelled", str(error))
        except (ShammahError, ValueError, OSError) as error:  # the border's errors are ValueErrors
            self.journal.trainings.note(training, "failed", str(error))
        return self.journal.trainings.at(training.number)

    def _make(self, training: Training, lock: Lock) -> None:
        limits, folder = self.settings.examples, folder_of(self.settings.home, training)
        frozen = freeze(self.journal, limits.feedback, limits.teacher)
        shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was killed
        folder.mkdir(parents=True, mode=0o700)
        if not self.journal.trainings.start(training, ids(frozen.learnt), ids(frozen.held_out)):
            raise Interrupted("it was cancelled")
        base = self._base(training)
        job = self._prepare(training, base, frozen, folder)
        self._train(folder, lock)
        self.journal.trainings.note(training, "evaluated")
        report = Report.read(folder)
        if self._refuses(training, report, frozen, job):
            return
        adapter, report = self._checked(training, base, report, frozen, folder)
        if self._refuses(training, report, frozen, job):
            Path(adapter.path).unlink(missing_ok=True)
            return
        self._decide(training, report, "promoted", self._objections(report, frozen, job))
        self.journal.trainings.promote(training, adapter)

    def _refuses(self, training: Training, report: Report, frozen: Frozen, job: Job) -> bool:
        """Whether something speaks against a candidate, and nobody wants it all the same; it is noted then."""
        objections = self._objections(report, frozen, job)
        # Who took it over while it was queued may have forced it after we began.
        if not objections or self.journal.trainings.at(training.number).is_forced:
            return False
        self._decide(training, report, "refused", objections)
        self.journal.trainings.note(training, "refused", "; ".join(objections))
        return True

    def _decide(self, training: Training, report: Report, decision: str, objections: Sequence[str]) -> None:
        """Write down what was decided, with the reasons for and against."""
        merits = tuple(gate.merits(report))
        decided = replace(report, decision=decision, reasons=tuple(objections), merits=merits)
        folder = folder_of(self.settings.home, training)
        decided.write(folder)
        write_whole(folder / PAGE, page(Filed(Job.read(folder), decided)))

    def _objections(self, report: Report, frozen: Frozen, job: Job) -> list[str]:
        return [*gate.objections(report), *self._changes(frozen, job)]

    def _changes(self, frozen: Frozen, job: Job) -> list[str]:
        """What happened meanwhile that makes the candidate one for yesterday."""
        found = []
        live = {example.id: example for example in self.journal.examples.live()}
        if any(live.get(example.id) != example for example in frozen.learnt):
            found.append("examples that it learnt were changed meanwhile; train again")
        if tuple(adapters.active_files(self.journal, job.base_sha256)) != job.active:
            found.append("another adapter was made active meanwhile; train again")
        return found

    def _base(self, training: Training) -> Base:
        """The model that is trained, if it is still the file that was recorded."""
        base = self.journal.base(training.base)
        if base is None or not Path(base.path).is_file():
            raise TrainingError("the model that was to be trained is gone")
        if bases.identify(self.journal, Path(base.path)).sha256 != training.base:
            raise TrainingError("the model that was to be trained was replaced")
        return base

    def _prepare(self, training: Training, base: Base, frozen: Frozen, folder: Path) -> Job:
        """Write all that the trainer needs into the job folder."""
        if not frozen.learnt:
            raise TrainingError("there is nothing to learn yet")
        # What a user corrected is neither to stay as it was, nor right.
        general_held_out, replay = (
            [example for example in part if example.prompt not in frozen.corrected]
            for part in self._general(base, (folder / CANCEL).exists)
        )
        text = examples.write(frozen.learnt)
        (folder / EXAMPLES).write_text(text, "utf-8")
        (folder / HELD_OUT).write_text(examples.write(frozen.held_out), "utf-8")
        (folder / GENERAL).write_text(examples.write(general_held_out), "utf-8")
        (folder / REPLAY).write_text(examples.write(replay), "utf-8")
        if self.paraphrase is not None and frozen.aims:
            self.hear({"event": "paraphrasing"})
            others = self.paraphrase(frozen.aims, (folder / CANCEL).exists)
            (folder / PARAPHRASES).write_text(examples.write(others), "utf-8")
        job = Job(
            name=self._name(training),
            version=training.number,
            base_path=base.path,
            base_sha256=base.sha256,
            base_name=base.name,
            examples_sha256=hashlib.sha256(text.encode()).hexdigest(),
            threads=hardware.physical_cores(),
            active=tuple(adapters.active_files(self.journal, base.sha256)),
            corrections=frozen.corrections,
        )
        job.write(folder)
        return job

    def _name(self, training: Training) -> str:
        """A name for the adapter that no other has, also none that came from another home."""
        name = ADAPTER_NAME.format(training.number)
        while self.journal.adapters.find(name) is not None:
            name += "b"
        return name

    def _general(self, base: Base, is_unwanted: Stop) -> tuple[list[Example], list[Example]]:
        """The base's own answers; the model is closed again before the trainer takes its memory."""
        opened: list[LocalModel] = []

        def open_model() -> "LocalModel":
            opened.append(self.open_model(base))
            return opened[0]

        try:
            return general.answers(self.settings.home, base.sha256, open_model, self._hear_general, is_unwanted)
        finally:
            for model in opened:
                model.close()

    def _hear_general(self, done: int, count: int) -> None:
        self.hear({"event": "answering", "done": done, "of": count})

    def _train(self, folder: Path, lock: Lock) -> None:
        """Run the trainer to its end; it ends itself when we do.

        Raises:
            TrainingError: It failed; the text says why.
            Interrupted: It was cancelled.
        """
        with (folder / "trainer.log").open("ab") as log, (folder / PROGRESS).open("a+", encoding="utf-8") as stream:
            child = subprocess.Popen(
                [python(self.settings), "-P", "-m", "shammah_trainer", os.fspath(folder), "--guarded"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=folder,
                env=os.environ | TRAINER_ENVIRONMENT,
                start_new_session=True,  # Ctrl-C is for us alone
            )
            try:
                hardware.give_way(child.pid)
                lock.name(child.pid)
                error = self._follow(child, stream)
            finally:
                _end(child)
                lock.name()
        if child.returncode == CANCELLED:
            raise Interrupted(error)
        if child.returncode != 0:
            raise TrainingError(
                error or f"the trainer ended with code {child.returncode}; see {folder / 'trainer.log'}"
            )

    def _follow(self, child: "subprocess.Popen[bytes]", stream: TextIO) -> str:
        """Pass progress on while the child lives; what it says of its failure."""
        error = ""
        while True:
            is_over = child.poll() is not None
            for line in new_lines(stream):
                error = str(line.get("error", error))
                self.hear(line)
            if is_over:
                return error
            time.sleep(POLL_SECONDS)

    def _checked(
        self, training: Training, base: Base, report: Report, frozen: Frozen, folder: Path
    ) -> tuple[Adapter, Report]:
        """The adapter, installed, once the served base with it says what the trainer's said, and what it confirms."""
        base = self._base(training)
        adapter = adapters.install(self.settings.home, folder / ADAPTER, base, training.number)
        try:
            report = self._probe(base, adapter, report, frozen, (folder / CANCEL).exists)
            if (folder / CANCEL).exists():
                raise Interrupted("it was cancelled")
        except BaseException:
            Path(adapter.path).unlink(missing_ok=True)
            raise
        return adapter, report

    def _probe(self, base: Base, adapter: Adapter, report: Report, frozen: Frozen, is_unwanted: Stop) -> Report:
        """Compare llama.cpp's logits with the trainer's, and ask it a few corrections; the report with what it said.

        Raises:
            TrainingError: The logits differ.
        """
        with self.open_model(base) as model:
            model.apply([AdapterFile(adapter.name, adapter.path, adapter.sha256)])
            gap, most = candidate.gap(model, report.probes), gate.logit_tolerance(report)
            if not gap <= most:  # NaN is not
                raise TrainingError(
                    f"llama.cpp's logits with the adapter differ from the trainer's by {gap:.3g}, over {most:g}"
                )
            read = [example for example in frozen.aims if example.id not in report.left_out]
            return replace(report, confirmed=candidate.confirm(model, read, is_unwanted))


def new_lines(stream: TextIO) -> Iterator[dict[str, Any]]:
    """The whole lines of progress that were appended since the last look."""
    while True:
        place = stream.tell()
        line = stream.readline()
        if not line.endswith("\n"):  # the end, or one that is still being written
            stream.seek(place)
            return
        with contextlib.suppress(ValueError):  # a full disk cuts a line; the next ones are whole
            yield json.loads(line)


def python(settings: Settings) -> str:
    """The interpreter that the trainer runs in."""
    return settings.trainer.python or sys.executable


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Make sure that the trainer is gone."""
    assert child.stdin is not None, "its stdin is our pipe"
    child.stdin.close()  # it ends itself when nobody holds the pipe
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def watch(home: Path, journal: Journal, training: Training, hear: Hear) -> Training:
    """Follow a training of another process, from its first line, until it ends; the training as it ended.

    Raises:
        KeyboardInterrupt: Whoever watched had enough.
    """
    file, stream = folder_of(home, training) / PROGRESS, None
    try:
        while True:
            training = journal.trainings.at(training.number)
            is_over = training.state not in OPEN
            if stream is None and training.state != "queued" and file.exists():
                stream = file.open(encoding="utf-8")
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
            return f"Training {training.number} was cancelled; everything is as it was."
        case _:
            return f"Training {training.number} failed: {training.reason}"
