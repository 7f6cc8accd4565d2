"""A call that streams: one thread reads the wire, and whoever waits keeps one deadline over everything.

HTTP clients time each read, so a server that drips would hold a call for ever. Here nobody waits for the thread: who
has had enough hangs up, and goes.
"""

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from shammah.generation import Chunk, End, Finish, Stop

TICK_SECONDS = 0.05


class Late(Exception):
    """The deadline passed before the end came."""


class Failed(Exception):
    """The wire did something else than to end well; the cause says what."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Broken(Exception):
    """The stream ended before the answer did."""


class Line:
    """A call as the thread that reads it sees it: what it notes and says is there for whoever waits.

    Attributes:
        is_accepted: Whether the server has taken the call on, so that it is paid for.
        stop_text: The wanted text that the answer ended before.
        has_usage: Whether the server told how many tokens there were.
    """

    def __init__(self) -> None:
        self.is_accepted = False
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.has_usage = False
        self.stop_text = ""
        self._events: queue.SimpleQueue[Chunk | Finish | Exception] = queue.SimpleQueue()
        self._is_abandoned = threading.Event()
        self._response: Any = None

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody waits any more."""
        return self._is_abandoned.is_set()

    def answered(self, response: Any) -> bool:
        """Take the response, of httpx's kind, that is hung up when nobody waits; whether somebody still does."""
        self._response = response
        return not self.is_abandoned

    def say(self, said: Chunk | Finish | Exception) -> None:
        """Let whoever waits hear something."""
        self._events.put(said)

    def next(self, timeout_seconds: float) -> Chunk | Finish | Exception | None:
        """What was said next; None where nothing was in time."""
        try:
            return self._events.get(timeout=timeout_seconds)
        except queue.Empty:
            return None

    def abandon(self) -> None:
        """Hang up, so that the server stops writing and the thread ends, however it drips or stalls."""
        self._is_abandoned.set()
        if self._response is not None:
            _hang_up(self._response)


Converse = Callable[[Line], Finish]
"""Makes the call and reads it, saying each piece to the line; how it finished."""

Cost = Callable[[Line, Finish], float | None]
"""What a call has cost by its end; None where nobody knows."""


class Call:
    """One request, read by a thread of its own that nobody waits for when it is abandoned."""

    def __init__(self, converse: Converse, name: str) -> None:
        self.line = Line()
        self._converse = converse
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def listen(self, stop: Stop, deadline: float, cost: Cost = lambda _line, _finish: None) -> Iterator[Chunk]:
        """Pass on what the thread reads, until the end, the deadline (of `time.monotonic`) or a stop.

        Raises:
            Late: The deadline has passed.
            Failed: No end came.
        """
        while not stop():
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise Late
            match self.line.next(min(TICK_SECONDS, remaining)):
                case Finish() as finish:
                    yield Chunk(end=self._end(finish, cost))
                    return
                case Chunk() as chunk:
                    yield chunk
                case Exception() as error:
                    raise Failed(error)
        yield Chunk(end=self._end(Finish.INTERRUPTED, cost))

    def _end(self, finish: Finish, cost: Cost) -> End:
        line = self.line
        return End(finish, line.prompt_tokens, line.completion_tokens, cost(line, finish), stop_text=line.stop_text)

    def _run(self) -> None:
        try:
            self.line.say(self._converse(self.line))
        except Exception as error:  # everything that the wire can do to a client; translated where it is read
            self.line.say(error)


def _hang_up(response: Any) -> None:
    """End a connection that another thread reads from: closing it would not wake that thread, this does."""
    network = response.extensions.get("network_stream")
    connection = network.get_extra_info("socket") if network else None
    with contextlib.suppress(OSError):  # it is closed already
        if isinstance(connection, socket.socket):
            # Not SSLSocket's own, which also drops the state that the other thread is using.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
