"""A call that streams: one thread reads the wire, and whoever waits keeps one deadline over everything.

HTTP clients time each read, so a server that drips would hold a call for ever. Here nobody waits for the thread: who
has had enough hangs up, and goes.
"""

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shammah.generation import Chunk, End, Finish, Stop

TICK_SECONDS = 0.05
PATIENCE_SECONDS = 3.0
"""For what a server still has to say of an answer that has ended: how many tokens it had."""
MOST_BYTES = 64 * 2**20
"""Of one reply: the longest answer there is takes half of that, with all that stands around its pieces."""


# Of httpx or httpx2, whichever a client stands on.
CUTS = frozenset({"ReadError", "RemoteProtocolError"})


class Late(Exception):
    """The deadline passed before the end came."""


class Failed(Exception):
    """The wire did something else than to end well; the cause says what."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Broken(Exception):
    """The stream ended before the answer did."""


class TooMuch(Exception):
    """The reply is longer than any answer."""


class Packed(Exception):
    """The reply is compressed, which nobody asked for: its few bytes may be any number."""


class Line:
    """A call as the thread that reads it sees it: what it notes and says is there for whoever waits.

    Attributes:
        is_accepted: Whether the server has taken the call on, so that it is paid for.
        stop_text: The wanted text that the answer ended before.
        has_usage: Whether the server told how many tokens there were.
        model: What the server calls the model that answers, where it told.
    """

    def __init__(self) -> None:
        self.is_accepted = False
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.has_usage = False
        self.stop_text = ""
        self.model = ""
        self._over: tuple[Finish, float] | None = None
        self._events: queue.SimpleQueue[Chunk | Finish | Exception] = queue.SimpleQueue()
        self._is_abandoned = threading.Event()
        self._response: Any = None
        self._network: Any = None

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody waits any more."""
        return self._is_abandoned.is_set()

    @property
    def is_flooded(self) -> bool:
        """Whether more came than any answer has."""
        return self._response is not None and self._response.num_bytes_downloaded > MOST_BYTES

    @property
    def hooks(self) -> dict[str, list[Callable[[Any], None]]]:
        """What a client of httpx's kind is to call, so that it can be hung up at any time."""
        return {"request": [self._watch], "response": [self._answered]}

    def _watch(self, request: Any) -> None:
        """Have httpx say when there is a connection: a server may take for ever to begin its reply."""
        request.extensions = {**request.extensions, "trace": self._trace}

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._network = info.get("return_value")
            if self.is_abandoned:  # too early for `abandon` to see the connection
                _hang_up(self._network)

    def _answered(self, response: Any) -> None:
        """Take the response, before anything of its body is read.

        Raises:
            Packed: It is compressed.
        """
        self._response = response
        if response.headers.get("content-encoding", "identity") != "identity":
            raise Packed("it is compressed, which was not asked for")

    def ends(self, finish: Finish) -> None:
        """Note that the answer has ended: what the server still says of it is waited for a little, and no longer."""
        if self._over is None:
            self._over = finish, time.monotonic()

    @property
    def over(self) -> Finish | None:
        """How it ended, where that is known for long enough."""
        if self._over is None:
            return None
        finish, since = self._over
        return finish if time.monotonic() - since > PATIENCE_SECONDS else None

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
        _hang_up(self._network)


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
            if self.line.is_flooded:
                raise Failed(TooMuch(f"more than {MOST_BYTES // 2**20} MiB came"))
            if (over := self.line.over) is not None:
                yield Chunk(end=self._end(over, cost))
                return
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


def _hang_up(network: Any) -> None:
    """End a connection that another thread reads from: closing it would not wake that thread, this does."""
    connection = network.get_extra_info("socket") if network else None
    with contextlib.suppress(OSError):  # it is closed already
        if isinstance(connection, socket.socket):
            # Not SSLSocket's own, which also drops the state that the other thread is using.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)


def is_cut(error: Exception) -> bool:
    """Whether a stream ended before its answer did."""
    return isinstance(error, Broken) or type(error).__name__ in CUTS


def words_of(body: Any, otherwise: str) -> tuple[str, str]:
    """The server's own `{"error": {"type": ..., "message": ...}}`, or no type and the start of whatever came."""
    if isinstance(body, Mapping) and isinstance(body.get("error"), Mapping):
        found = body["error"]
        return str(found.get("type") or found.get("code") or ""), str(found.get("message", ""))[:300]
    return "", " ".join(otherwise.split())[:300]
