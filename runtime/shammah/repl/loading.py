"""The local model, opened by a thread of its own while the person types."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from shammah.errors import Interrupted
from shammah.settings import Settings

if TYPE_CHECKING:
    from shammah.assembly import Parts
    from shammah.journal import Journal
    from shammah.local import LocalModel
    from shammah.records.bases import Base

State = Literal["checking", "loading", "ready", "waiting", "failed"]
"""`waiting`: there is no room for it beside a training; whoever answers makes some."""

Stop = Callable[[], bool]
PATIENCE_SECONDS = 5.0
LOOK_SECONDS = 0.05


class Loading:
    """One model's way into memory; whoever asks for it waits.

    Attributes:
        state: How far it is.
        base: The model file, once it is identified.
        said: What is worth a word to the person.
    """

    def __init__(self, settings: Settings, changed: Callable[[], None] = lambda: None) -> None:
        self.state: State = "checking"
        self.base: Base | None = None
        self.said: list[str] = []
        self._settings = settings
        self._changed = changed
        self._is_unwanted = threading.Event()
        self._model: LocalModel | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="loading", daemon=True)

    def start(self) -> None:
        """Begin, once."""
        if self._thread.ident is None:
            self._thread.start()

    def identified(self, stop: Stop = lambda: False) -> None:
        """Wait until the model file is known.

        Raises:
            Interrupted: Nobody waits any more.
            ShammahError: It cannot be used.
        """
        self.start()
        while self.state == "checking":
            _rest(stop)
        if self.base is None:
            self._raise()

    def take(self, stop: Stop = lambda: False) -> "LocalModel | None":
        """Wait for the model and hand it over, once; None where it was handed over, or there was no room for it.

        Raises:
            Interrupted: Nobody waits any more.
            ShammahError: It cannot be opened.
        """
        self.identified(stop)
        while self.state == "loading":
            _rest(stop)
        self._raise()
        model, self._model = self._model, None
        return model

    def end(self) -> None:
        """Stop, and give back what nobody took."""
        self._is_unwanted.set()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE_SECONDS)
        if self._model is not None:
            self._model.close()
            self._model = None

    def _work(self) -> None:
        try:
            self._open()
        except Exception as error:  # whoever waits for the model gets it
            self._error = error
            self._set("failed")

    def _open(self) -> None:
        from shammah.assembly import Parts
        from shammah.cli import warm
        from shammah.compatible import opening
        from shammah.hardware import BusyMeter
        from shammah.journal import Journal
        from shammah.locks import background
        from shammah.repl import desk  # noqa: F401  # what answers, opened here so that the first message need not

        settings = self._settings
        meter = BusyMeter(background(settings.home))
        with Journal(settings.home) as journal:
            parts = Parts(settings, journal, meter, self.said.append, self._is_unwanted.is_set)
            self.base = parts.base
            self._set("loading")
            if opening.server_of(self.base, settings) or warm.has_open(settings, self.base.path):
                self._set("ready")  # elsewhere: `take` has nothing to hand over
            elif _has_room(settings, journal, parts):
                self._model = parts.open_bare(parts.base)
                self._set("ready")
            else:
                self._set("waiting")

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _set(self, state: State) -> None:
        self.state = state
        self._changed()


def _has_room(settings: Settings, journal: "Journal", parts: "Parts") -> bool:
    """Whether the model fits beside what runs."""
    from shammah import memory
    from shammah.admission import Go, Wish

    wish = Wish("answering", memory.model_bytes(parts.base, parts.limit_tokens))
    return isinstance(memory.decide(settings.home, journal, wish), Go)


def _rest(stop: Stop) -> None:
    if stop():
        raise Interrupted("interrupted while the model was loaded")
    time.sleep(LOOK_SECONDS)
