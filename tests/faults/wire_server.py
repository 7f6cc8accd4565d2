"""A server at loopback that writes bytes step by step, and breaks off, falls silent or never ends where it is told."""

import contextlib
import itertools
import socket
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, assert_never

TICK_SECONDS = 0.02
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: what is not sent yet is dropped, and the other end is reset


@dataclass(frozen=True, slots=True)
class Read:
    """Read the whole request."""


@dataclass(frozen=True, slots=True)
class Reset:
    """End the connection by a reset."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Say nothing more."""


@dataclass(frozen=True, slots=True)
class Drip:
    """Say this again and again, one byte at a time."""

    data: bytes
    pause_seconds: float = 0.01


@dataclass(frozen=True, slots=True)
class Endless:
    """Say this again and again, as fast as it is taken."""

    data: bytes


Step = bytes | Read | Reset | Stall | Drip | Endless


class WireServer:
    """Treats each connection between `__enter__` and `__exit__` to the same steps.

    Attributes:
        requests: How many came whole.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = tuple(steps)
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=16)
        self._listening.settimeout(TICK_SECONDS)
        self._is_closing = threading.Event()
        self._threads = [threading.Thread(target=self._accept, name="wire")]
        self.requests = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listening.getsockname()[1])

    @property
    def url(self) -> str:
        """The base URL for the client."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_closing.set()
        for thread in self._threads:
            thread.join()
        self._listening.close()

    def _accept(self) -> None:
        while not self._is_closing.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = self._listening.accept()
                connection.settimeout(TICK_SECONDS)
                thread = threading.Thread(target=self._treat, args=(connection,), name="wire")
                self._threads.append(thread)
                thread.start()

    def _treat(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:  # the client leaves when it likes
            for step in self._steps:
                self._do(connection, step)
            connection.shutdown(socket.SHUT_WR)
            self._wait(connection)  # closed at once, what was not read would reset it

    def _do(self, connection: socket.socket, step: Step) -> None:
        match step:
            case bytes():
                self._send(connection, step)
            case Read():
                self._read(connection)
            case Reset():
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                connection.close()
            case Stall():
                self._wait(connection)
            case Drip():
                self._drip(connection, step)
            case Endless(data):
                while True:
                    self._send(connection, data)
            case _:
                assert_never(step)

    def _drip(self, connection: socket.socket, drip: Drip) -> None:
        for place in itertools.cycle(range(len(drip.data))):
            if self._is_closing.wait(drip.pause_seconds):
                raise ConnectionAbortedError
            self._send(connection, drip.data[place : place + 1])

    def _send(self, connection: socket.socket, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            if self._is_closing.is_set():
                raise ConnectionAbortedError
            with contextlib.suppress(TimeoutError):
                rest = rest[connection.send(rest) :]

    def _read(self, connection: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive(connection)
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.lower().splitlines() if line.startswith(b"content-length:")]
        while len(body) < int(lengths[0] if lengths else 0):
            body += self._receive(connection)
        self.requests += 1

    def _wait(self, connection: socket.socket) -> None:
        """Until the client leaves, or the server closes."""
        while True:
            self._receive(connection)

    def _receive(self, connection: socket.socket) -> bytes:
        while not self._is_closing.is_set():
            with contextlib.suppress(TimeoutError):
                data = connection.recv(65536)
                if not data:
                    break
                return data
        raise ConnectionAbortedError
