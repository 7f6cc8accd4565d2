"""Background work: one detached process a home, at idle priority, that ends when nothing waits.

`python -m shammah.worker` takes jobs from the journal. No command ever waits for it.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shammah import admission, config, crash, detached, embedding, hardware, locks, memory, schedule
from shammah.admission import Postpone, Refuse, Wish
from shammah.assembly import Parts
from shammah.checkpoints import Keeper
from shammah.compatible import opening
from shammah.errors import BudgetReached, NotServed, ShammahError, TeacherPaused, TrainerKilled, TrainingRuns
from shammah.following import outcome
from shammah.generation import Finish, Sampling
from shammah.journal import Journal, checkpoints, heads, ratings, trainings
from shammah.journal.jobs import MOST_ATTEMPTS
from shammah.judging import Judge, is_drawn
from shammah.labelling import Comparison, label
from shammah.learning import HEAD_NAMES, Heads
from shammah.policy import Side
from shammah.records import Base, Correction, Job, Question, Training
from shammah.rewriting import TargetFinder, ask_user
from shammah.sides import LocalGenerator, LocalSide, TeacherSide
from shammah.training import Trainer

RETRY_SECONDS = 600.0
EMBEDDER_RETRY_SECONDS = 3600.0
TEACHER_PATIENCE = timedelta(days=1)

_log = logging.getLogger(__name__)


class NotNow(Exception):
    """The job waits for better times, which is no failure."""


def start(home: Path, is_offline: bool = False, environ: Mapping[str, str] = os.environ) -> None:
    """Start the worker, detached; where one runs already, the new one ends at once."""
    detached.start("shammah.worker", home, home / "worker.log", is_offline, environ)


def main() -> int:
    """Work until nothing waits."""
    os.umask(0o077)
    hardware.give_way()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    crash.settle()
    settings = config.load()
    with Journal(settings.home) as journal:
        # Whoever leaves a job just as we let go finds the lock held and ends, so we look again afterwards.
        while journal.jobs.waiting():
            with locks.only_one(settings.home / locks.WORKER) as lock:
                if lock is None:
                    return 0
                lock.name(os.getpid())
                Worker(settings, journal, config.load).work()
    return 0


class Worker:
    """Does the jobs of one home, one after the other."""

    def __init__(
        self, settings: config.Settings, journal: Journal, load: Callable[[], config.Settings] | None = None
    ) -> None:
        """Take the settings, and what reads them again before each job: they may say by then that something stays."""
        self._settings = settings
        self._load = load or (lambda: settings)
        self._journal = journal
        self._parts = Parts(settings, journal, hardware.BusyMeter())

    def work(self) -> None:
        """Do every job that may start, also those that come meanwhile."""
        while job := self._journal.jobs.take(RETRY_SECONDS):
            self._do(job)
        self._parts.close()

    def _do(self, job: Job) -> None:
        try:
            self._heed(self._load())
            self._start(job)
        except (NotNow, TeacherPaused) as reason:
            _log.info("job %s waits: %s", job.id, reason)
            self._journal.jobs.put_back(job, str(reason), RETRY_SECONDS)
        except ShammahError as error:
            _log.warning("job %s failed: %s", job.id, error)
            is_over = job.attempts >= MOST_ATTEMPTS
            self._journal.jobs.finish(job, error=str(error), retry_seconds=None if is_over else RETRY_SECONDS)
            if is_over:
                self._tell(job)
        except Exception as error:  # one broken job must not stop the others for ever
            _log.exception("job %s failed", job.id)
            self._journal.jobs.finish(job, error=repr(error))
            self._tell(job)
        else:
            self._journal.jobs.finish(job)

    def _heed(self, settings: config.Settings) -> None:
        """Go on with settings that were changed meanwhile."""
        if settings != self._settings:
            self._settings = settings
            self._use(settings)

    def _tell(self, job: Job) -> None:
        """Say that a job has failed for good, where somebody waits for what it should have brought."""
        correction = (
            self._journal.ratings.correction(int(job.payload["rating"])) if job.kind == ratings.TARGET_JOB else None
        )
        if correction is not None:
            ask_user(self._journal, correction, has_key=True)

    def _start(self, job: Job) -> None:
        match job.kind:
            case "label":
                self._label(self._journal.question_at(int(job.payload["question"])))
                self._look_after_heads(self._journal.question_at(int(job.payload["question"])).lineage)
            case ratings.TARGET_JOB:
                self._find_target(job)
                if line := schedule.consider(self._journal, self._settings):
                    self._journal.notify(line)
            case heads.REFIT_JOB:
                self._refit(str(job.payload["lineage"]))
            case checkpoints.CHECKPOINT_JOB:
                self._checkpoint(str(job.payload["lineage"]))
            case trainings.TRAIN_JOB:
                self._train(self._journal.trainings.at(int(job.payload["training"])))
            case _:
                raise NotNow(f"a newer Shammah knows what {job.kind!r} is")

    def _look_after_heads(self, lineage: str) -> None:
        """Make a checkpoint where one is due, and leave a re-fit where enough lessons came since the last one."""
        self._checkpoint(lineage)
        if self._journal.heads.is_refit_due(lineage, "router"):
            self._journal.jobs.enqueue(heads.REFIT_JOB, {"lineage": lineage})

    def _checkpoint(self, lineage: str) -> None:
        keeper = Keeper(self._settings.home, self._journal, self._heads_of(lineage), lineage)
        if keeper.is_due():
            made = keeper.make(f"{self._journal.count(lineage)} questions")
            _log.info("checkpoint %s: %s", made.number, made.why)

    def _heads_of(self, lineage: str) -> Heads:
        return Heads(self._settings.home, self._journal, lineage, self._settings.heads.learner)

    def _refit(self, lineage: str) -> None:
        self._check_battery()
        learnt = self._heads_of(lineage)
        for name in HEAD_NAMES:
            fit = learnt.refit(name, self._parts.embed)
            _log.info("%s re-fitted: %s", name, fit)

    def _find_target(self, job: Job) -> None:
        correction = self._journal.ratings.correction(int(job.payload["rating"]))
        if correction is None:
            return
        question = correction.question
        base = self._base_at_hand(question)
        self._prepare_embedder(question)
        parts = self._parts_for(base, question) if base is not None else self._parts
        finder = TargetFinder(
            journal=self._journal,
            local=self._careful(parts.local(), base) if base is not None else None,
            teacher=self._teacher_of(parts, job, correction),
            embed=parts.embed,
            sampling=Sampling(max_tokens=self._settings.answer.max_tokens),
            is_last=job.attempts >= MOST_ATTEMPTS,
        )
        try:
            source = finder.find(correction)
        except BudgetReached as error:
            raise NotNow(str(error)) from error
        _log.info("question %s: %s", question.id, f"a better answer by {source}" if source else "no better answer")

    def _teacher_of(self, parts: Parts, job: Job, correction: Correction) -> TeacherSide | None:
        """The teacher, where the user could have it asked; one that is out of reach now is waited for, a day."""
        if not job.payload["may_ask_teacher"]:
            return None
        if not self._settings.offline and parts.access is not None:
            return parts.teacher()
        age = datetime.now(UTC) - datetime.fromisoformat(correction.created)
        if abs(age) < TEACHER_PATIENCE:  # it is of the future where the clock was set back
            raise NotNow("offline" if self._settings.offline else "the teacher has no key here")
        return None

    def _train(self, training: Training) -> None:
        """Be the parent of a training, from its last checkpoint where an earlier worker was killed.

        What it brought is said with the next command.
        """
        if training.state not in ("queued", "running", "evaluated"):
            return  # it was cancelled meanwhile, or has ended
        base = self._journal.base(training.base)
        self._parts.close()  # the trainer needs the memory
        if training.is_automatic:
            self._check_battery()
        if base is not None:  # else the training says so
            self._check_memory(Wish("training", admission.training_bytes(base.size)))
        trainer = Trainer(self._settings, self._journal, self._parts.open_bare, paraphrase=self._parts.paraphraser())
        try:
            ended = trainer.resume(training)
        except TrainingRuns as error:
            raise NotNow(str(error)) from error
        if ended.state == "queued":
            raise TrainerKilled("the trainer was killed")  # an attempt, after which the next goes on
        self._journal.notify(outcome(self._settings.home, ended))
        _log.info("training %s: %s %s", ended.number, ended.state, ended.reason)

    def _careful(self, local: LocalSide, base: Base) -> LocalSide:
        """The local side, opened only where the machine has room for it."""

        def open_model() -> LocalGenerator:
            self._check_battery()
            self._check_memory(Wish("background", self._parts.memory_bytes(base)))
            return local.open()

        return replace(local, open=open_model)

    def _label(self, question: Question) -> None:
        base = self._base_of(question)
        self._check(question, base)
        self._prepare_embedder(question)
        parts = self._parts_for(base, question)
        comparison = Comparison(
            journal=self._journal,
            heads=parts.heads,
            local=parts.local(),
            teacher=parts.teacher(),
            embed=parts.embed,
            sampling=Sampling(max_tokens=self._settings.answer.max_tokens),
            wish=self._settings.divergence.method,
            judge=self._judge(parts, question),
        )
        divergence = label(comparison, question)
        if parts.contract is not None:
            parts.contract.standing()  # decided here, so that the next question need not wait for it
        _log.info("question %s: %s", question.id, divergence)

    def _judge(self, parts: Parts, question: Question) -> Judge | None:
        """The judge, where the user wants one, the teacher can be asked, and the question was drawn."""
        is_wanted = self._settings.divergence.method == "judge" and not self._settings.offline
        if not is_wanted or parts.access is None or not is_drawn(self._journal, question, self._settings.sampling):
            return None
        return Judge(self._journal, parts.teacher())

    def _base_of(self, question: Question) -> Base:
        base = self._base_at_hand(question)
        if base is None:
            raise ShammahError("the model that the question counts for is gone, or may not hear it any more")
        return base

    def _base_at_hand(self, question: Question) -> Base | None:
        """The model that a question counts for; None where it is gone, or runs where the question must not go."""
        base = self._journal.base(question.lineage)
        if base is None or not Path(base.path).is_file():
            return None
        try:
            server = opening.server_of(base, self._settings)
        except NotServed:  # by a server that was left since
            return None
        return None if opening.is_away(server) and not question.may_go_online else base

    def _check(self, question: Question, base: Base) -> None:
        """Raise NotNow where the machine or the user would rather not."""
        sides = {answer.side for answer in self._journal.answers(question) if answer.finish != Finish.HOPELESS}
        if Side.TEACHER not in sides and (self._settings.offline or not question.may_go_online):
            raise NotNow("offline")
        self._check_battery()
        if Side.LOCAL not in sides:
            self._check_memory(Wish("background", self._parts.memory_bytes(base)))

    def _check_battery(self) -> None:
        """Raise NotNow on battery, where the user has not said that it does not matter."""
        if not self._settings.worker.on_battery and hardware.is_on_battery():
            raise NotNow("on battery")

    def _check_memory(self, wish: Wish) -> None:
        """Raise NotNow where it does not fit beside what runs."""
        decision = memory.decide(self._settings.home, self._journal, wish)
        if isinstance(decision, Postpone | Refuse):
            raise NotNow(decision.reason)

    def _parts_for(self, base: Base, question: Question) -> Parts:
        """The parts for the base that a question was counted for, kept from job to job."""
        wanted = opening.settings_for(base, self._settings)
        if wanted.model != self._parts.settings.model:
            self._use(wanted)
        self._parts.meet_server()
        if self._parts.base.sha256 != question.lineage:
            raise ShammahError("the model that the question counts for was replaced")
        return self._parts

    def _use(self, settings: config.Settings) -> None:
        self._parts.close()
        self._parts = Parts(settings, self._journal, hardware.BusyMeter())

    def _prepare_embedder(self, question: Question) -> None:
        """Make the embedder's file where its weights can be had; without it, the hand features serve."""
        home = self._settings.home
        if embedding.ready(home) is not None:
            return
        may_fetch = question.may_go_online and not self._settings.offline and not _failed_lately(home)
        try:
            source = embedding.find_source() or (embedding.fetch_source() if may_fetch else None)
            if source is not None:
                embedding.build(home, source)
                self._use(self._parts.settings)
        except (ShammahError, OSError) as error:
            _log.warning("no embedder: %s", error)
            _failure_mark(home).touch()


def _failure_mark(home: Path) -> Path:
    (home / "cache").mkdir(exist_ok=True)
    return home / "cache" / "embedder.failed"


def _failed_lately(home: Path) -> bool:
    mark = _failure_mark(home)
    return mark.exists() and abs(time.time() - mark.stat().st_mtime) < EMBEDDER_RETRY_SECONDS


if __name__ == "__main__":
    sys.exit(main())
