"""What all requests of a daemon share: settings, the engine, and the threads that answer."""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from shammah import bases
from shammah.assembly import Parts
from shammah.errors import ServeError
from shammah.generation import Stop
from shammah.hardware import BusyMeter
from shammah.journal import Journal
from shammah.locks import background
from shammah.serve.bound import Kept
from shammah.serve.counters import Counters
from shammah.serve.served import Load, Opened, OpenEngine, Served
from shammah.serve.threads import Threads
from shammah.settings import Settings

# Threads wait for tokens most of the time; more requests than these wait for one, and the rest is to come again.
MOST_AT_ONCE, MOST_WAITING = 16, 32
State = Literal["loading", "ready"]


class House:
    """What all requests share.

    Attributes:
        counters: What was done so far.
        pool: The threads that answer.
        url: Where programs reach it.
    """

    def __init__(self, settings: Settings, open_engine: OpenEngine, load: Load | None = None) -> None:
        self.counters = Counters()
        self.pool = Threads(MOST_AT_ONCE, MOST_WAITING)
        self.url = ""
        self._served = Served(settings, open_engine, load)
        self._meter = BusyMeter(background(settings.home))
        self._numbers = itertools.count(1)
        self._answering: dict[int, threading.Event] = {}

    @property
    def settings(self) -> Settings:
        """The daemon's, as they are at this moment: a change is heeded by the next request; a command brings its own.

        Raises:
            ConfigError: They are wrong by now.
        """
        return self._served.now()

    @property
    def home(self) -> Path:
        """Where everything is kept."""
        return self._served.settings.home

    @property
    def state(self) -> State:
        """How far the model is."""
        return "ready" if self._served.opened else "loading"

    @property
    def opened(self) -> Opened:
        """The model that is served.

        Raises:
            ServeError: It is still being loaded.
        """
        opened = self._served.opened
        if opened is None:
            raise ServeError("the model is being loaded", hint="Ask again in a moment.")
        return opened

    @property
    def in_flight(self) -> int:
        """How many are being answered."""
        return len(self._answering)

    def open(self) -> None:
        """Load the model that the settings name.

        Raises:
            ShammahError: It cannot be.
        """
        self._served.open()

    @contextlib.contextmanager
    def answering(self, stop: threading.Event) -> Iterator[int]:
        """A number for what is answered now, by which it can be stopped."""
        self._served.look()
        self._served.meet_server()
        number = next(self._numbers)
        self._answering[number] = stop
        try:
            with self._served.used():
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
            ModelChanged: Its file was changed since.
        """
        opened = self.opened
        self._served.check(journal)
        warm = Kept(opened.engine, opened.base, stop)
        return Parts(settings, journal, self._meter, say, stop, max_teacher_tokens, environ, warm)

    def close(self) -> None:
        """Stop what is answered, and give back the model."""
        for stop in list(self._answering.values()):
            stop.set()
        self.pool.shutdown()
        self._served.close()


def refusal(opened: Opened, ours: Settings, theirs: Settings, journal: Journal, environ: Mapping[str, str]) -> str:
    """Why a question with other settings, and another environment, is not for this model; empty where it is."""
    file = bases.wanted(theirs, environ)
    if file != Path(opened.base.path):
        return f"it has another model open ({opened.base.name})"
    known = bases.known(journal, file)
    if known is None or known.sha256 != opened.base.sha256:
        return "the model's file was replaced"
    if (theirs.model.server, theirs.model.served_as) != (ours.model.server, ours.model.served_as):
        return "its model runs elsewhere"
    if (theirs.model.threads, theirs.model.gpu_layers) != (ours.model.threads, ours.model.gpu_layers):
        return "its model has other threads or GPU layers"
    return ""
