"""What jobs are done with: the parts for a model, kept from job to job, and whether now is the time for it."""

import logging
import time
from dataclasses import replace
from pathlib import Path

from shammah import embedding, hardware, memory
from shammah.admission import Postpone, Refuse, Wish
from shammah.assembly import Parts
from shammah.compatible import opening
from shammah.errors import NotServed, ShammahError
from shammah.generation import Finish
from shammah.journal import Journal
from shammah.policy import Side
from shammah.records.bases import Base
from shammah.records.questions import Question
from shammah.settings import Settings
from shammah.sides import LocalGenerator, LocalSide

EMBEDDER_RETRY_SECONDS = 3600.0

_log = logging.getLogger(__name__)


class NotNow(Exception):
    """The job waits for better times, which is no failure."""


class Workbench:
    """The settings, and the parts that they make.

    Attributes:
        settings: As they were read last.
        parts: For the model that the last job was about, or the settings' own.
    """

    def __init__(self, settings: Settings, journal: Journal) -> None:
        self.settings = settings
        self._journal = journal
        self.parts = Parts(settings, journal, hardware.BusyMeter())

    def heed(self, settings: Settings) -> None:
        """Go on with settings that were changed meanwhile."""
        if settings != self.settings:
            self.settings = settings
            self._use(settings)

    def base_of(self, question: Question) -> Base:
        """The model that a question counts for.

        Raises:
            ShammahError: It is gone, or runs where the question must not go.
        """
        base = self.base_at_hand(question)
        if base is None:
            raise ShammahError("the model that the question counts for is gone, or may not hear it any more")
        return base

    def base_at_hand(self, question: Question) -> Base | None:
        """The model that a question counts for; None where it is gone, or runs where the question must not go."""
        base = self._journal.bases.find(question.lineage)
        if base is None or not Path(base.path).is_file():
            return None
        try:
            server = opening.server_of(base, self.settings)
        except NotServed:  # by a server that was left since
            return None
        return None if opening.is_away(server) and not question.may_go_online else base

    def parts_for(self, base: Base, question: Question) -> Parts:
        """The parts for the base that a question was counted for, kept from job to job."""
        wanted = opening.settings_for(base, self.settings)
        if wanted.model != self.parts.settings.model:
            self._use(wanted)
        self.parts.meet_server()
        if self.parts.base.sha256 != question.lineage:
            raise ShammahError("the model that the question counts for was replaced")
        return self.parts

    def _use(self, settings: Settings) -> None:
        self.parts.close()
        self.parts = Parts(settings, self._journal, hardware.BusyMeter())

    def careful(self, local: LocalSide, base: Base) -> LocalSide:
        """The local side, opened only where the machine has room for it."""

        def open_model() -> LocalGenerator:
            self.check_battery()
            self.check_memory(Wish("background", self.parts.memory_bytes(base)))
            return local.open()

        return replace(local, open=open_model)

    def check(self, question: Question, base: Base) -> None:
        """Raise NotNow where the machine or the user would rather not."""
        sides = {answer.side for answer in self._journal.answers(question) if answer.finish != Finish.HOPELESS}
        if Side.TEACHER not in sides and (self.settings.offline or not question.may_go_online):
            raise NotNow("offline")
        self.check_battery()
        if Side.LOCAL not in sides:
            self.check_memory(Wish("background", self.parts.memory_bytes(base)))

    def check_battery(self) -> None:
        """Raise NotNow on battery, where the user has not said that it does not matter."""
        if not self.settings.worker.on_battery and hardware.is_on_battery():
            raise NotNow("on battery")

    def check_memory(self, wish: Wish) -> None:
        """Raise NotNow where it does not fit beside what runs."""
        decision = memory.decide(self.settings.home, self._journal, wish)
        if isinstance(decision, Postpone | Refuse):
            raise NotNow(decision.reason)

    def prepare_embedder(self, question: Question) -> None:
        """Make the embedder's file where its weights can be had; without it, the hand features serve."""
        home = self.settings.home
        if self.parts.meet_embedder() is not None:
            return
        may_fetch = question.may_go_online and not self.settings.offline and not _failed_lately(home)
        try:
            file = embedding.prepare(home)
            if file is None and may_fetch:
                file = embedding.build(home, embedding.fetch_source())
            if file is not None:
                self._use(self.parts.settings)
        except (ShammahError, OSError) as error:
            _log.warning("no embedder: %s", error)
            _failure_mark(home).touch()


def _failure_mark(home: Path) -> Path:
    (home / "cache").mkdir(exist_ok=True)
    return home / "cache" / "embedder.failed"


def _failed_lately(home: Path) -> bool:
    mark = _failure_mark(home)
    return mark.exists() and abs(time.time() - mark.stat().st_mtime) < EMBEDDER_RETRY_SECONDS
