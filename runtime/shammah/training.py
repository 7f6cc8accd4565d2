"""The path of a training: freeze the examples, run the trainer as a child, check what it made, make it active."""

import contextlib
import hashlib
import logging
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from shammah import (
    adapters,
    child,
    continuing,
    embedding,
    general,
    hardware,
    locks,
    planning,
    resuming,
    room,
    tailoring,
)
from shammah.child import Hear
from shammah.errors import Interrupted, ShammahError, TrainerKilled, TrainingError, TrainingRuns
from shammah.following import folder_of
from shammah.freezing import Frozen, freeze, ids, staying
from shammah.generation import Stop
from shammah.journal import Journal
from shammah.locks import Lock, only_one
from shammah.naming import TRAINED
from shammah.planted import set_off
from shammah.promotion import Promotion
from shammah.quarantine import capped
from shammah.records.adapters import Training
from shammah.records.bases import Base
from shammah.resuming import Work
from shammah.settings import Settings
from shammah_convert import examples
from shammah_convert.examples import Example
from shammah_convert.failpoints import reach
from shammah_convert.files import write_whole
from shammah_convert.job import CANCEL, EXAMPLES, GENERAL, HELD_OUT, PARAPHRASES, REPLAY, Job, Plan

if TYPE_CHECKING:
    from shammah.local import LocalModel

_log = logging.getLogger(__name__)

Paraphrase = Callable[[Sequence[Example], Stop], list[Example]]
"""Says the corrections' questions in other words; nothing where nobody can."""


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

    def start(self, base: Base, is_forced: bool, most_memory_bytes: int = 0) -> Training:
        """Train while somebody waits, within so much memory (0: what the settings say); the training as it ended.

        Raises:
            TrainingRuns: Another training of this home is under way.
            KeyboardInterrupt: It was interrupted; everything is as it was.
        """
        with self._alone() as lock:
            self.journal.trainings.settle_abandoned()
            training = self.journal.trainings.begin(base.sha256, is_forced, most_memory_bytes)
            if training is None:
                raise TrainingRuns("a training is queued")
            return self._run(training, lock)

    def resume(self, training: Training) -> Training:
        """Do a queued training, or go on with one whose process was killed; the training as it ended.

        Raises:
            TrainingRuns: Another training of this home is under way.
            KeyboardInterrupt: It was interrupted; everything is as it was.
        """
        with self._alone() as lock:
            self.journal.trainings.settle_abandoned(but=training)
            if (folder_of(self.settings.home, training) / CANCEL).exists():  # whoever was to see it was killed
                self.journal.trainings.note(training, "cancelled", "it was cancelled")
            return self._run(training, lock)

    def take_up(self, training: Training, is_forced: bool) -> Training:
        """Go on with a training that was closed as killed, failed or interrupted; the training as it ended.

        Raises:
            TrainingRuns: Another training of this home is under way.
            KeyboardInterrupt: It was interrupted; everything is as it was.
        """
        with self._alone() as lock:
            self.journal.trainings.settle_abandoned()
            if not self.journal.trainings.reopen(training, is_forced):
                raise TrainingRuns("another training is queued")
            (folder_of(self.settings.home, training) / CANCEL).unlink(missing_ok=True)
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
        except TrainerKilled:
            self.journal.trainings.settle_abandoned()
        except (ShammahError, ValueError, OSError) as error:  # the border's errors are ValueErrors
            self.journal.trainings.note(training, "failed", str(error))
        return self.journal.trainings.at(training.number)

    def _make(self, training: Training, lock: Lock) -> None:
        folder = folder_of(self.settings.home, training)
        work = self._left(training, folder) or self._begun(training, folder)
        trainer = self.settings.trainer
        reach("training.before_child")
        child.run(trainer.python or sys.executable, folder, lock, self.hear, trainer.launch)
        reach("training.after_child")
        self.journal.trainings.note(training, "evaluated")
        self._prepare_embedder(training)
        try:
            Promotion(self.settings, self.journal, self.open_model).decide(training, work, folder)
        except TrainingError:  # it would end so again
            resuming.drop_checkpoints(folder.parent)
            raise
        resuming.drop_checkpoints(folder.parent)  # after the row that needs them no more

    def _prepare_embedder(self, training: Training) -> None:
        """See to it that what will be active is heard near to what it has learnt only, where that can be."""
        try:
            if (file := embedding.prepare(self.settings.home, self.settings.trainer.python)) is not None:
                with contextlib.closing(embedding.Lazy(file)) as embedder:  # no question waits for what is made here
                    tailoring.embeddings(self.journal, self.journal.domains.learnt_in(training.number), embedder.embed)
        except (ShammahError, OSError) as error:  # without it, adapters answer everything
            _log.warning("no embedder: %s", error)

    def _left(self, training: Training, folder: Path) -> Work | None:
        """Go on with what an attempt that was killed left; None where it has to be begun again."""
        work = resuming.left_by(training, folder)
        if work is None or resuming.changes(self.journal, work):
            return None
        self._open(training, work.frozen)
        base = resuming.base_of(self.journal, training)
        room.check(folder, Path(base.path), work.job.plan.rank)
        bound = training.most_memory_bytes or work.job.plan.most_memory_bytes
        plan = replace(work.job.plan, most_memory_bytes=bound)
        work = replace(work, job=replace(work.job, base_path=base.path, plan=plan))  # the same file may have moved
        work.job.write(folder)
        return work

    def _begun(self, training: Training, folder: Path) -> Work:
        """Begin with the examples that are live now."""
        frozen = freeze(self.journal, self.settings.examples.feedback, self.settings.examples.teacher)
        self._open(training, frozen)
        shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was killed
        folder.mkdir(parents=True, mode=0o700)
        resuming.drop_checkpoints(folder.parent)
        base = resuming.base_of(self.journal, training)
        may_continue = continuing.is_sound(self.settings.home, self.journal, base.sha256)
        plan = planning.plan_for(training, self.settings.trainer, room.shape_of(Path(base.path)), may_continue)
        room.check(folder, Path(base.path), plan.rank)
        return Work(self._prepare(training, base, frozen, folder, plan), frozen)

    def _open(self, training: Training, frozen: Frozen) -> None:
        if not self.journal.trainings.start(training, ids(frozen.learnt), ids(frozen.held_out)):
            raise Interrupted("it was cancelled")

    def _prepare(self, training: Training, base: Base, frozen: Frozen, folder: Path, plan: Plan) -> Job:
        """Write all that the trainer needs into the job folder."""
        if not frozen.learnt:
            raise TrainingError("there is nothing to learn yet")
        home, is_unwanted = self.settings.home, (folder / CANCEL).exists
        own = general.answers_of(home, base.sha256, lambda: self.open_model(base), self._hear_general, is_unwanted)
        stays = set(staying([*own[0], *own[1]], frozen))
        general_held_out, replay = ([e for e in part if e in stays] for part in own)
        learnt = capped(frozen.learnt, replay)
        if frozen.taught and len(learnt) == len(frozen.taught):
            raise TrainingError("what came from outside may be a fifth of what is learnt, and there is nothing else")
        text = examples.write(learnt)
        parts = {HELD_OUT: examples.write(frozen.held_out), GENERAL: examples.write(general_held_out)}
        parts |= {EXAMPLES: text, REPLAY: examples.write(replay), **set_off(frozen.learnt, general_held_out)}
        if self.paraphrase is not None and frozen.aims:
            self.hear({"event": "paraphrasing"})
            others = self.paraphrase(frozen.aims, is_unwanted)
            parts[PARAPHRASES] = examples.write(others)
        for name, lines in parts.items():  # before the job, so that where that is, all are whole
            write_whole(folder / name, lines)
        job = Job(
            name=self._name(training),
            version=training.number,
            base_path=base.path,
            base_sha256=base.sha256,
            base_name=base.name,
            examples_sha256=hashlib.sha256(text.encode()).hexdigest(),
            threads=hardware.physical_cores(),
            active=tuple(adapters.active_files(self.journal, base.sha256)),
            corrections=frozen.corrections + frozen.taught,
            plan=plan,
        )
        job.write(folder)
        return job

    def _name(self, training: Training) -> str:
        """A name for the adapter that no other has, also none that came from another home."""
        name = TRAINED.format(training.number)
        while self.journal.adapters.find(name) is not None:
            name += "b"
        return name

    def _hear_general(self, done: int, count: int) -> None:
        self.hear({"event": "answering", "done": done, "of": count})
