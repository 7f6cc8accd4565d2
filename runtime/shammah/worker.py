"""Background work: one detached process a home, at idle priority, that ends when nothing waits.

`python -m shammah.worker` takes jobs from the journal. No command ever waits for it.
"""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shammah import admission, config, crash, detached, hardware, locks, schedule
from shammah.admission import Wish
from shammah.assembly import Parts
from shammah.checkpoints import Keeper
from shammah.errors import BudgetReached, ShammahError, TeacherPaused, TrainerKilled, TrainingRuns
from shammah.following import outcome
from shammah.generation import Sampling
from shammah.journal import Journal, checkpoints, heads, ratings, trainings
from shammah.journal.jobs import MOST_ATTEMPTS
from shammah.judging import Judge, is_drawn
from shammah.labelling import Comparison, label
from shammah.learning import Heads
from shammah.records.adapters import Training
from shammah.records.examples import Correction
from shammah.records.jobs import Job
from shammah.records.questions import Question
from shammah.rewriting import TargetFinder, ask_user
from shammah.settings import Settings
from shammah.sides import TeacherSide
from shammah.sight import HEAD_NAMES
from shammah.training import Trainer
from shammah.workbench import NotNow, Workbench

RETRY_SECONDS = 600.0
TEACHER_PATIENCE = timedelta(days=1)

_log = logging.getLogger(__name__)


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

    def __init__(self, settings: Settings, journal: Journal, load: Callable[[], Settings] | None = None) -> None:
        """Take the settings, and what reads them again before each job: they may say by then that something stays."""
        self._load = load or (lambda: settings)
        self._journal = journal
        self._bench = Workbench(settings, journal)

    def work(self) -> None:
        """Do every job that may start, also those that come meanwhile."""
        while job := self._journal.jobs.take(RETRY_SECONDS):
            self._do(job)
        self._bench.parts.close()

    def _do(self, job: Job) -> None:
        try:
            self._bench.heed(self._load())
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
                if line := schedule.consider(self._journal, self._bench.settings):
                    self._journal.notices.add(line)
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
        keeper = Keeper(self._bench.settings.home, self._journal, self._heads_of(lineage), lineage)
        if keeper.is_due():
            made = keeper.make(f"{self._journal.count(lineage)} questions")
            _log.info("checkpoint %s: %s", made.number, made.why)

    def _heads_of(self, lineage: str) -> Heads:
        return Heads(self._bench.settings.home, self._journal, lineage, self._bench.settings.heads.learner)

    def _refit(self, lineage: str) -> None:
        self._bench.check_battery()
        learnt = self._heads_of(lineage)
        for name in HEAD_NAMES:
            fit = learnt.refit(name, self._bench.parts.embed)
            _log.info("%s re-fitted: %s", name, fit)

    def _find_target(self, job: Job) -> None:
        correction = self._journal.ratings.correction(int(job.payload["rating"]))
        if correction is None:
            return
        question = correction.question
        base = self._bench.base_at_hand(question)
        self._bench.prepare_embedder(question)
        parts = self._bench.parts_for(base, question) if base is not None else self._bench.parts
        finder = TargetFinder(
            journal=self._journal,
            local=self._bench.careful(parts.local(), base) if base is not None else None,
            teacher=self._teacher_of(parts, job, correction),
            embed=parts.embed,
            sampling=Sampling(max_tokens=self._bench.settings.answer.max_tokens),
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
        if not self._bench.settings.offline and parts.access is not None:
            return parts.teacher()
        age = datetime.now(UTC) - datetime.fromisoformat(correction.created)
        if abs(age) < TEACHER_PATIENCE:  # it is of the future where the clock was set back
            raise NotNow("offline" if self._bench.settings.offline else "the teacher has no key here")
        return None

    def _train(self, training: Training) -> None:
        """Be the parent of a training, from its last checkpoint where an earlier worker was killed.

        What it brought is said with the next command.
        """
        if training.state not in ("queued", "running", "evaluated"):
            return  # it was cancelled meanwhile, or has ended
        base = self._journal.bases.find(training.base)
        self._bench.parts.close()  # the trainer needs the memory
        if training.is_automatic:
            self._bench.check_battery()
        if base is not None:  # else the training says so
            self._bench.check_memory(Wish("training", admission.training_bytes(base.size)))
        parts = self._bench.parts
        trainer = Trainer(self._bench.settings, self._journal, parts.open_bare, paraphrase=parts.paraphraser())
        try:
            ended = trainer.resume(training)
        except TrainingRuns as error:
            raise NotNow(str(error)) from error
        if ended.state == "queued":
            raise TrainerKilled("the trainer was killed")  # an attempt, after which the next goes on
        self._journal.notices.add_news(ended.topic, outcome(self._bench.settings.home, ended))
        _log.info("training %s: %s %s", ended.number, ended.state, ended.reason)

    def _label(self, question: Question) -> None:
        base = self._bench.base_of(question)
        self._bench.check(question, base)
        self._bench.prepare_embedder(question)
        parts = self._bench.parts_for(base, question)
        comparison = Comparison(
            journal=self._journal,
            heads=parts.heads,
            local=parts.local(),
            teacher=parts.teacher(),
            embed=parts.embed,
            sampling=Sampling(max_tokens=self._bench.settings.answer.max_tokens),
            wish=self._bench.settings.divergence.method,
            judge=self._judge(parts, question),
        )
        divergence = label(comparison, question)
        if parts.contract is not None:
            parts.contract.standing()  # decided here, so that the next question need not wait for it
        _log.info("question %s: %s", question.id, divergence)

    def _judge(self, parts: Parts, question: Question) -> Judge | None:
        """The judge, where the user wants one, the teacher can be asked, and the question was drawn."""
        settings = self._bench.settings
        is_wanted = settings.divergence.method == "judge" and not settings.offline
        if not is_wanted or parts.access is None or not is_drawn(self._journal, question, settings.sampling):
            return None
        return Judge(self._journal, parts.teacher())


if __name__ == "__main__":
    sys.exit(main())
