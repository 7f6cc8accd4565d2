"""Room in memory: what is free, what a training holds, and how it makes room for an answer."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil

from shammah import admission, hardware, locks
from shammah.admission import Decision, Pause, Running, Wish
from shammah.journal import Journal
from shammah.records.bases import Base
from shammah.sides import LocalGenerator, LocalSide
from shammah.standstill import standstill
from shammah_convert import pauses
from shammah_convert.attention import Attention
from shammah_convert.shape import BadBase


def decide(home: Path, journal: Journal, wish: Wish) -> Decision:
    """Decide about a wish for memory, as the machine is now."""
    return admission.admit(wish, hardware.ram_available_bytes(), running(home, journal))


def running(home: Path, journal: Journal) -> Running | None:
    """The training whose trainer works right now, with what that holds."""
    training = journal.trainings.open_one()
    if training is None or training.state == "queued":
        return None
    held = sum(map(_resident_bytes, locks.working(home / locks.TRAINING)))
    return Running(training.number, held) if held else None


def model_bytes(base: Base, context_tokens: int | None) -> int:
    """What a local model takes once it is open; None fills the context that it was trained for."""
    try:
        attention = Attention.read(Path(base.path))
    except BadBase:  # llama.cpp has the last word on the file: its size says most
        return base.size + admission.RUN_BYTES
    return admission.model_bytes(base.size, attention, context_tokens or attention.context_tokens)


def job_folder(home: Path, number: int) -> Path:
    """The job folder of a training, by its number."""
    return home / "jobs" / str(number)


class Precedence:
    """An answer goes before a training: that stands still until this is closed, with little in memory if need be.

    Attributes:
        is_pausing: Whether a training has given its memory back for this answer.
    """

    def __init__(self, home: Path, journal: Journal, say: Callable[[str], None] = lambda _: None) -> None:
        self._home = home
        self._journal = journal
        self._say = say
        self._is_taken = False
        self._held = contextlib.ExitStack()
        self.is_pausing = False

    def __enter__(self) -> "Precedence":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def around(self, local: LocalSide, base: Base) -> LocalSide:
        """The local side, with room made before its model is opened; one that a server runs needs none."""
        if local.is_elsewhere:
            return local

        def open_model() -> LocalGenerator:
            self.take(base, local.limit_tokens)
            return local.open()

        return replace(local, open=open_model)

    def before(self, local: LocalSide) -> LocalSide:
        """The local side of a model that is open already, with a training made to stand still before it is asked."""
        if local.is_elsewhere:
            return local

        def open_model() -> LocalGenerator:
            self.stand()
            return local.open()

        return replace(local, open=open_model)

    def take(self, base: Base, context_tokens: int | None) -> None:
        """Make a training that works stand still; asked again, nothing is decided anew."""
        if self._is_taken:
            return
        training = running(self._home, self._journal)
        if training is not None:  # hardly ever: then nothing is read
            wish = Wish("answering", model_bytes(base, context_tokens), is_awaited=True)
            decision = admission.admit(wish, hardware.ram_available_bytes(), training)
            if isinstance(decision, Pause):
                self._hold(self._paused(decision.training))
                return
        self.stand()

    def stand(self) -> None:
        """Make a training that works, or begins to, stand still; for a model that has its memory already."""
        if not self._is_taken:
            self._hold(standstill(self._home))

    def close(self) -> None:
        """Let the training go on."""
        self._held.close()

    def _hold(self, still: contextlib.AbstractContextManager[None]) -> None:
        self._is_taken = True
        with contextlib.suppress(OSError):  # it has just ended, or the disk is full: the answer does not wait
            self._held.enter_context(still)

    @contextlib.contextmanager
    def _paused(self, training: Running) -> Iterator[None]:
        """It gives its memory back as soon as it can, and stands still until this is left."""
        who = pauses.Answering(os.getpid(), psutil.Process().create_time())
        file = pauses.ask(job_folder(self._home, training.number), who)
        self._say(f"Training {training.number} stands still meanwhile: both do not fit into memory.")
        self.is_pausing = True
        try:
            yield
        finally:
            file.unlink(missing_ok=True)
            self.is_pausing = False


def _resident_bytes(pid: int) -> int:
    """What a process holds; nothing where it is gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
