"""What all requests of a daemon share: settings, the engine, and the threads that answer."""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from shammah import bases, memory
from shammah.admission import Go, Wish
from shammah.assembly import DEFAULT_CONTEXT_TOKENS, Parts
from shammah.config import Settings
from shammah.errors import ServeError
from shammah.generation import Stop
from shammah.hardware import BusyMeter
from shammah.journal import Journal
from shammah.locks import background
from shammah.memory import Precedence
from shammah.records import Base
from shammah.serve.bound import Kept
from shammah.serve.counters import Counters
from shammah.serve.remote import Engine
from shammah.sides import LocalGenerator, LocalSide

# Threads wait for tokens most of the time; more requests than these wait for a thread.
MOST_AT_ONCE = 16
OpenEngine = Callable[[Settings, Base], Engine]
State = Literal["loading", "ready"]


@dataclass(frozen=True, slots=True)
class Opened:
    """A model that is served."""

    base: Base
    engine: Engine


class House:
    """What all requests share.

    Attributes:
        settings: Of the daemon; a command brings its own.
        counters: What was done so far.
        pool: The threads that answer.
        url: Where programs reach it.
    """

    def __init__(self, settings: Settings, open_engine: OpenEngine) -> None:
        self.settings = settings
        self.counters = Counters()
        self.pool = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="answer")
        self.url = ""
        self._open_engine = open_engine
        self._meter = BusyMeter(background(settings.home))
        self._opened: Opened | None = None
        self._numbers = itertools.count(1)
        self._answering: dict[int, threading.Event] = {}

    @property
    def state(self) -> State:
        """How far the model is."""
        return "ready" if self._opened else "loading"

    @property
    def opened(self) -> Opened:
        """The model that is served.

        Raises:
            ServeError: It is still being loaded.
        """
        if self._opened is None:
            raise ServeError("the model is being loaded", hint="Ask again in a moment.")
        return self._opened

    @property
    def in_flight(self) -> int:
        """How many are being answered."""
        return len(self._answering)

    def open(self) -> None:
        """Load the model that the settings name.

        Raises:
            ShammahError: It cannot be.
        """
        with Journal(self.settings.home) as journal:
            base = bases.identify(journal, bases.resolve(self.settings.model.path))
            self._check_room(journal, base)
            self._opened = Opened(base, self._open_engine(self.settings, base))

    def _check_room(self, journal: Journal, base: Base) -> None:
        limit = self.settings.model.context_tokens or DEFAULT_CONTEXT_TOKENS
        decision = memory.decide(self.settings.home, journal, Wish("answering", memory.model_bytes(base, limit)))
        if not isinstance(decision, Go):
            raise ServeError("the model does not fit into memory beside the training that runs")

    @contextlib.contextmanager
    def answering(self, stop: threading.Event) -> Iterator[int]:
        """A number for what is answered now, by which it can be stopped."""
        number = next(self._numbers)
        self._answering[number] = stop
        try:
            yield number
        finally:
            del self._answering[number]

    def cancel(self, number: int) -> bool:
        """Stop an answer; whether it was still under way."""
        stop = self._answering.get(number)
        if stop is not None:
            stop.set()
        return stop is not None

    def parts(
        self,
        settings: Settings,
        journal: Journal,
        say: Callable[[str], None],
        stop: Stop,
        environ: Mapping[str, str],
        max_teacher_tokens: int | None = None,
    ) -> Parts:
        """What answers one request: its own settings, journal and key, and the model that is open.

        Raises:
            ServeError: It is not.
        """
        opened = self.opened
        warm = Kept(opened.engine, opened.base)
        return Parts(settings, journal, self._meter, say, stop, max_teacher_tokens, environ, warm)

    def close(self) -> None:
        """Stop what is answered, and give back the model."""
        for stop in list(self._answering.values()):
            stop.set()
        self.pool.shutdown()
        if self._opened is not None:
            self._opened.engine.stop()
            self._opened = None


def before_trainings(local: LocalSide, precedence: Precedence) -> LocalSide:
    """The local side, for whose answers a training stands still."""

    def open_model() -> LocalGenerator:
        precedence.stand()
        return local.open()

    return replace(local, open=open_model)


def refusal(opened: Opened, ours: Settings, theirs: Settings, journal: Journal) -> str:
    """Why a question with other settings is not for this model; empty where it is."""
    file = bases.resolve(theirs.model.path)
    if file != Path(opened.base.path):
        return f"it has another model open ({opened.base.name})"
    known = bases.known(journal, file)
    if known is None or known.sha256 != opened.base.sha256:
        return "the model's file was replaced"
    if (theirs.model.threads, theirs.model.gpu_layers) != (ours.model.threads, ours.model.gpu_layers):
        return "its model has other threads or GPU layers"
    return ""
