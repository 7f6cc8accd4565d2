"""The local model in a process of its own: many ask it at once, and another process takes over when it dies."""

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue

from shammah import openings, window
from shammah.errors import EngineDied, EngineRefuses, ShammahError
from shammah.features import Vector
from shammah.generation import Chunk, Facts, Sampling, Stop, never, without_thinking
from shammah.hearing import Heard, chunks_of
from shammah.serve.deaths import Deaths, Stamp
from shammah.serve.link import Link
from shammah.serve.wire import Opened, Setup, unpacked
from shammah_convert.chat import Message
from shammah_convert.job import AdapterFile


class Engine:
    """Whoever keeps the engine's process alive; any thread may ask.

    Attributes:
        starts: How often a process was started.
    """

    def __init__(self, setup: Setup, log: Path | None = None) -> None:
        """Take what the engine is to open; it is opened by `start`, or by the first request.

        Args:
            setup: The model, and how much is done at once.
            log: What native code says goes there; None lets it speak where we do.
        """
        self.setup = setup
        self.starts = 0
        self._log = log
        self._lock = threading.Lock()
        self._link: Link | None = None
        self._deaths = Deaths()
        self._is_stopped = False

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Open the model.

        Raises:
            EngineDied: The engine dies too often.
            EngineRefuses: The model kills whoever opens it.
            ShammahError: It cannot be opened.
        """
        self.link()

    def stop(self) -> None:
        """End the engine's process, for good."""
        with self._lock:
            self._is_stopped = True
            link, self._link = self._link, None
        if link is not None:
            link.stop()

    @property
    def model(self) -> "RemoteModel":
        """The model, without adapters."""
        return RemoteModel(self)

    @property
    def pid(self) -> int | None:
        """The engine's process; None where none runs."""
        link = self._link
        return link.process.pid if link is not None and link.is_alive else None

    def embed(self, text: str) -> Vector:
        """The text's direction: unit length, shape (width,).

        Raises:
            BadModel: There is no embedder.
            EngineDied: The engine died of it.
        """
        return unpacked(self.link().ask_one("embed", text=text))

    def link(self) -> Link:
        """An engine process that lives, started where none does.

        Raises:
            EngineDied: The engine dies too often, or was stopped.
            EngineRefuses: The model kills whoever opens it.
            ShammahError: It cannot be opened.
        """
        with self._lock:
            while self._link is None or not self._link.is_alive:
                self._check()
                self._link = self._opened()
            return self._link

    def _opened(self) -> Link | None:
        """A new process with the model; None where it died of it."""
        self.starts += 1
        try:
            link = Link(self.setup, self._log, self._on_death)
        except EngineDied:
            self._note_death(is_at_load=True)
            return None
        self._deaths = self._deaths.opened()
        return link

    def _check(self) -> None:
        if self._is_stopped:
            raise EngineDied("the engine was stopped")
        if self.setup.marks:  # others of this home may have died of it
            openings.check(Path(self.setup.marks), Path(self.setup.path))
        if self._deaths.refuses(self._stamp()):
            raise EngineRefuses(f"{self.setup.path} kills the process that opens it")
        if (seconds := self._deaths.rest_seconds(time.monotonic())) > 0:
            words = f"the engine died {len(self._deaths.at)} times within a minute"
            raise EngineDied(words, hint=f"It is tried again in {seconds:.0f} s; the daemon's log may say why.")

    def _on_death(self) -> None:
        """Let another process be ready for the next request."""
        self._note_death(is_at_load=False)
        with contextlib.suppress(ShammahError):  # whoever asks next is told
            self.link()

    def _note_death(self, is_at_load: bool) -> None:
        self._deaths = self._deaths.one_more(time.monotonic(), self._stamp(), is_at_load)

    def _stamp(self) -> Stamp | None:
        with contextlib.suppress(OSError):
            stat = Path(self.setup.path).stat()
            return stat.st_size, stat.st_mtime_ns, stat.st_ino
        return None


class RemoteModel:
    """The model of an engine, with the adapters that it is bound to; any thread may ask, many at once."""

    def __init__(self, engine: Engine, adapters: Sequence[AdapterFile] = ()) -> None:
        self._engine = engine
        self.applied = tuple(adapters)

    def bound_to(self, adapters: Sequence[AdapterFile]) -> "RemoteModel":
        """The same model with other adapters: what it is asked waits for its turn, and is never mixed with others'."""
        return RemoteModel(self._engine, adapters)

    @property
    def facts(self) -> Facts:
        """What the file says of itself."""
        return self._opened.facts

    @property
    def threads(self) -> int:
        """With which the engine began to decode."""
        return self._opened.threads

    @property
    def gpu_layers(self) -> int:
        """Layers that are offloaded."""
        return self._opened.gpu_layers

    @property
    def context_tokens(self) -> int:
        """The longest conversation."""
        return self._opened.most_tokens

    def prompt_tokens(self, messages: Sequence[Message]) -> list[int]:
        """Turn a conversation into token ids; text is never read as a control token."""
        tokens: list[int] = self._engine.link().ask_one("tokens", messages=[asdict(message) for message in messages])
        return tokens

    def fits(self, prompt_tokens: int, max_tokens: int, limit_tokens: int | None = None) -> bool:
        """Whether a prompt leaves room for an answer."""
        most = self.context_tokens
        return window.fits(prompt_tokens, max_tokens, min(most, limit_tokens) if limit_tokens else most)

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        stop: Stop = never,
        limit_tokens: int | None = None,
    ) -> Iterator[Chunk]:
        """Complete a conversation token by token; thinking is left out. It returns once the request is taken on.

        Raises:
            ContextTooLong: The prompt leaves no room for an answer.
            BadGrammar: The answer's grammar cannot be used.
            EngineBusy: As many wait already as may.
            EngineDied: The engine died of it, now or later.
            AdapterError: An adapter cannot be used.
        """
        heard: Heard = SimpleQueue()
        link = self._engine.link()
        number = link.ask(
            "stream",
            heard,
            messages=[asdict(message) for message in messages],
            sampling=asdict(sampling),
            limit_tokens=limit_tokens,
            adapters=[asdict(file) for file in self.applied],
        )
        return without_thinking(chunks_of(heard, lambda: link.leave(number), stop))

    @property
    def _opened(self) -> Opened:
        return self._engine.link().opened
