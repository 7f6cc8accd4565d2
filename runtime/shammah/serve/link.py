"""One engine process, as the daemon sees it: what is asked goes out, what is said comes in to whoever asked."""

import contextlib
import itertools
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from shammah.errors import EngineDied, ShammahError
from shammah.generation import Chunk
from shammah.serve.wire import Opened, Said, Setup, Wire, opened_of, said_of

OPEN_SECONDS = 300


class Link:
    """One engine process."""

    def __init__(self, setup: Setup, log: Path | None, died: Callable[[], None]) -> None:
        """Start a process, and let it open a model.

        Args:
            setup: What it opens.
            log: What it says goes there; None lets it speak where we do.
            died: Called once it is gone after it had opened the model, unless it was told to end.

        Raises:
            EngineDied: The process died of it.
            ShammahError: It cannot open it.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = _start(theirs.fileno(), log)
        self._wire = Wire(ours)
        self._numbers = itertools.count(1)
        self._asked: dict[int, SimpleQueue[Any]] = {0: SimpleQueue()}
        self._lock = threading.Lock()
        self._death = ""
        self._is_opened = False
        self._died = died
        opened = self._asked[0]
        threading.Thread(target=self._listen, name="engine", daemon=True).start()
        self._send(asdict(setup))
        self.opened = self._wait_for(opened)
        self._is_opened = True

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return not self._death

    def ask(self, what: str, heard: SimpleQueue[Any], **fields: Any) -> int:
        """Ask for something; what is said to it comes to a queue. The number of the request.

        Raises:
            EngineDied: The process is gone.
        """
        with self._lock:
            number = next(self._numbers)
            if self._death:
                raise EngineDied(self._death)
            self._asked[number] = heard
        self._send({"id": number, "do": what, **fields})
        return number

    def ask_one(self, what: str, **fields: Any) -> Any:
        """Ask for something that has one answer.

        Raises:
            ShammahError: There is none; EngineDied where the process is gone.
        """
        heard: SimpleQueue[Any] = SimpleQueue()
        self.ask(what, heard, **fields)
        said = heard.get()
        if isinstance(said, ShammahError):
            raise said
        return said.value

    def leave(self, number: int) -> None:
        """Nobody waits for a request any more."""
        self._send({"id": number, "do": "leave"})

    def stop(self) -> None:
        """End the process."""
        self._died = _nobody
        self._wire.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:  # within a long step of native code
            self.process.kill()
            self.process.wait()

    def _send(self, row: object) -> None:
        """Send a line; where the process is gone, whoever listens tells all who wait."""
        with contextlib.suppress(OSError):
            self._wire.send(row)

    def _wait_for(self, opened: SimpleQueue[Any]) -> Opened:
        try:
            said = opened.get(timeout=OPEN_SECONDS)
        except Empty:
            self.process.kill()
            raise EngineDied(f"the engine did not open the model within {OPEN_SECONDS} s") from None
        if isinstance(said, ShammahError):
            self.stop()
            raise said
        return opened_of(said.value)

    def _listen(self) -> None:
        """Hand out what is said, to the end of the process."""
        for events in self._wire.lines():
            for event in events:
                self._hand_out(event[0], said_of(event))
        code = self.process.wait()
        with self._lock:
            self._death = f"the engine ended {_name(code)}"
            left, self._asked = list(self._asked.values()), {}
        for heard in left:
            heard.put(EngineDied(self._death))
        self._wire.close()
        if self._is_opened:
            self._died()

    def _hand_out(self, number: int, said: Said) -> None:
        with self._lock:
            heard = self._asked.get(number)
            if not isinstance(said, Chunk) or said.end is not None:
                self._asked.pop(number, None)
        if heard is not None:
            heard.put(said)


def _nobody() -> None:
    """An end that was wanted."""


def _start(descriptor: int, log: Path | None) -> "subprocess.Popen[bytes]":
    with contextlib.ExitStack() as stack:
        said = None if log is None else stack.enter_context(log.open("ab"))
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "shammah.serve.engine", str(descriptor)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            pass_fds=(descriptor,),
            start_new_session=True,  # Ctrl-C is for us alone
        )


def _name(code: int) -> str:
    """How a process ended."""
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
