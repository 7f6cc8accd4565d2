"""What becomes of a candidate: compared, checked and run, it is made active, or refused with the reasons."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from shammah import adapters, candidate, gate, resuming
from shammah.checkpoints import Keeper
from shammah.errors import CheckpointError, Interrupted, TrainingError
from shammah.following import folder_of
from shammah.freezing import Frozen
from shammah.generation import Stop
from shammah.journal import Journal
from shammah.learning import Heads
from shammah.planted import near_duplicates
from shammah.records.adapters import Adapter, Training
from shammah.records.bases import Base
from shammah.reports import PAGE, Filed
from shammah.reports.page import page
from shammah.resuming import Work
from shammah.settings import Settings
from shammah_convert.failpoints import reach
from shammah_convert.files import write_whole
from shammah_convert.job import ADAPTER, CANCEL, AdapterFile, Job, Report

if TYPE_CHECKING:
    from shammah.local import LocalModel

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Promotion:
    """Whoever decides about the candidates of a home.

    Attributes:
        open_model: Opens a base without adapters; the caller closes it.
    """

    settings: Settings
    journal: Journal
    open_model: "Callable[[Base], LocalModel]"

    def decide(self, training: Training, work: Work, folder: Path) -> None:
        """Make a candidate active, or refuse it.

        Raises:
            TrainingError: It is not what the trainer said it is.
            Interrupted: It was cancelled meanwhile.
        """
        report = replace(Report.read(folder), near_duplicates=near_duplicates(work.frozen.learnt))
        if self._refuses(training, report, work):
            return
        adapter, report = self._checked(training, resuming.base_of(self.journal, training), report, work.frozen, folder)
        if self._refuses(training, report, work):
            Path(adapter.path).unlink(missing_ok=True)
            return
        self._write_down(training, report, "promoted", self._objections(report, work))
        reach("promotion.after_report")
        self._keep_what_was(training)
        before = adapters.names_now(self.journal, training.base, work.job.active)
        self.journal.trainings.promote(training, replace(adapter, parent="+".join(before) or None))

    def _keep_what_was(self, training: Training) -> None:
        """Make a checkpoint of what a promotion will change; without one, `adapters rollback` still goes back."""
        heads = Heads(self.settings.home, self.journal, training.base, self.settings.heads.learner)
        keeper = Keeper(self.settings.home, self.journal, heads, training.base)
        try:
            keeper.make(f"before the promotion of training {training.number}")
        except CheckpointError as error:
            _log.warning("no checkpoint before the promotion: %s", error)

    def _refuses(self, training: Training, report: Report, work: Work) -> bool:
        """Whether something speaks against a candidate, and nobody wants it all the same; it is noted then."""
        objections = self._objections(report, work)
        # Who took it over while it was queued may have forced it after we began.
        if not objections or self.journal.trainings.at(training.number).is_forced:
            return False
        self._write_down(training, report, "refused", objections)
        self.journal.trainings.note(training, "refused", "; ".join(objections))
        return True

    def _write_down(self, training: Training, report: Report, decision: str, objections: Sequence[str]) -> None:
        """Write down what was decided, with the reasons for and against."""
        merits = tuple(gate.merits(report))
        decided = replace(report, decision=decision, reasons=tuple(objections), merits=merits)
        folder = folder_of(self.settings.home, training)
        decided.write(folder)
        write_whole(folder / PAGE, page(Filed(Job.read(folder), decided)))

    def _objections(self, report: Report, work: Work) -> list[str]:
        return [*gate.objections(report), *resuming.changes(self.journal, work)]

    def _checked(
        self, training: Training, base: Base, report: Report, frozen: Frozen, folder: Path
    ) -> tuple[Adapter, Report]:
        """The adapter, installed, once the served base with it says what the trainer's said, and what it confirms."""
        base = resuming.base_of(self.journal, training)
        adapter = adapters.install(self.settings.home, folder / ADAPTER, base, training.number)
        reach("promotion.after_file")
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
