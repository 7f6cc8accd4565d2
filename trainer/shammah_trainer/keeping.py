"""When a checkpoint is written, which ones stay, and which one a training goes on from."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from shammah_convert import aside
from shammah_convert.failpoints import reach
from shammah_convert.job import CHECKPOINT, CHECKPOINTS
from shammah_trainer.checkpoint import Damaged, Learner, Reached, Unusable, read, write
from shammah_trainer.spread import Spread

GENERATIONS = 2
"""One that is damaged falls back on the one before."""

Hear = Callable[[Path, Path], None]
"""Hears which checkpoint was damaged, and what it is called now."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a checkpoint is written.

    Attributes:
        seconds: Between two of them within an epoch; the end of an epoch is always a good moment.
        share: Of the time, at most, that they may take; a large adapter on a slow disk has fewer.
    """

    seconds: float = 60.0
    share: float = 0.05

    def is_due(self, seconds_since: float, cost_seconds: float, is_epoch_over: bool) -> bool:
        """Whether one is due, so long after the last one, which took so long to write."""
        wanted = 0.0 if is_epoch_over else self.seconds
        return seconds_since >= max(wanted, cost_seconds / self.share)


class Checkpoints:
    """The checkpoints of a job folder."""

    def __init__(
        self, folder: Path, key: str, pace: Pace, started: float, hear: Hear = lambda path, name: None
    ) -> None:
        """Keep a training's checkpoints.

        Args:
            folder: Of the job.
            key: Of the training; others' checkpoints are not used.
            pace: How often one is written.
            started: When this process began with the job, on the monotonic clock.
            hear: Hears of what is set aside.
        """
        self._hear = hear
        self._folder, self._key, self._pace, self._started = folder, key, pace, started
        self._last, self._cost_seconds = time.monotonic(), 0.0
        for half in folder.glob(f"{CHECKPOINTS}.partial"):  # of a process that was killed within
            half.unlink()

    @property
    def seconds(self) -> float:
        """Since the job began, the time between its processes left out."""
        return time.monotonic() - self._started

    def restore(self, learner: Learner) -> Reached | None:
        """Set a learner to the newest checkpoint that can be used; None where there is none.

        What is damaged is set aside: it would be deleted as the next ones are kept.

        Raises:
            OSError: One that is damaged cannot be set aside.
        """
        for path in self._found():
            try:
                tensors, reached = read(path, self._key)
                learner.load(tensors)
            except Unusable as error:
                _log.warning("%s is not used: %s", path, error)
                if isinstance(error, Damaged):
                    self._set_aside(path)
                continue
            self._started -= reached.seconds
            return reached
        return None

    def is_due(self, is_epoch_over: bool) -> bool:
        """Whether to write one now."""
        return self._pace.is_due(time.monotonic() - self._last, self._cost_seconds, is_epoch_over)

    def keep(self, learner: Learner, reached: Reached) -> None:
        """Write one, and delete all but the newest.

        Raises:
            OSError: It cannot be written.
        """
        began = time.monotonic()
        path = self._folder / CHECKPOINT.format(len(reached.losses))
        reach("training.before_checkpoint")
        write(path, learner.tensors(), replace(reached, seconds=self.seconds), self._key)
        reach("training.after_checkpoint")
        # By age, not by step: one of a training that took another course may be further. This one is the newest,
        # whatever a clock that was set back says.
        others = [found for found in self._found() if found != path]
        for old in sorted(others, key=lambda found: found.stat().st_mtime_ns, reverse=True)[GENERATIONS - 1 :]:
            old.unlink()
        self._last = time.monotonic()
        self._cost_seconds = self._last - began

    def drop(self) -> None:
        """Delete all."""
        for path in self._found():
            path.unlink()

    def _set_aside(self, path: Path) -> None:
        """Keep a damaged one from being replaced or deleted; it goes with the job folder's other checkpoints."""
        if (name := aside.move(path)) is not None:
            self._hear(path, name)

    def _found(self) -> list[Path]:
        """The newest first."""
        return sorted(self._folder.glob(CHECKPOINTS), reverse=True)


@dataclass(frozen=True, slots=True)
class Shared:
    """The checkpoints of a training on several processes: the first one reads and writes them, for all."""

    checkpoints: Checkpoints
    spread: Spread

    def restore(self, learner: Learner) -> Reached | None:
        """Set each process's learner to the first one's, fresh or restored; how far that is."""
        reached = self.checkpoints.restore(learner) if self.spread.is_first else None
        tensors = {name: value.cpu() for name, value in learner.tensors().items()} if self.spread.is_first else {}
        reached, tensors = self.spread.same((reached, tensors))
        if not self.spread.is_first:
            learner.load(tensors)
        return reached

    def is_due(self, is_epoch_over: bool) -> bool:
        """Whether this process is to write one now."""
        return self.spread.is_first and self.checkpoints.is_due(is_epoch_over)

    def keep(self, learner: Learner, reached: Reached) -> None:
        """Write one.

        Raises:
            OSError: It cannot be written.
        """
        if self.spread.is_first:
            self.checkpoints.keep(learner, reached)

    def drop(self) -> None:
        """Delete all."""
        if self.spread.is_first:
            self.checkpoints.drop()
