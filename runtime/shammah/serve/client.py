"""How commands reach the daemon: one request a connection over its unix socket, answered by a line for each event.

It speaks HTTP/1.0, which ends with the connection, so that nothing but a socket is needed: the standard library's
client takes longer to import than the daemon takes to begin.
"""

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shammah import errors
from shammah.asked import Told
from shammah.errors import ShammahError

if TYPE_CHECKING:
    from shammah.turn import Screen

TICK_SECONDS = 0.1
# A daemon that is there accepts at once; whoever is stopped or hangs is not waited for.
PATIENCE_SECONDS = 2.0
LARGEST_HEADER_BYTES = 65536

Event = dict[str, Any]
Stop = Callable[[], bool]


class NoAnswer(Exception):
    """The daemon gives none: whoever asked answers."""


class NoDaemon(NoAnswer):
    """Nobody answers there, or not as a daemon does."""


class Declined(NoAnswer):
    """The daemon leaves the question to whoever asked."""


class Lost(NoAnswer):
    """The daemon, or its engine, ended before the answer did."""


@dataclass(frozen=True, slots=True)
class Ear:
    """Who hears what comes of a question.

    Attributes:
        say: Lines beside the answer.
        tell: The outcome.
        stop: Whether nobody waits for the rest.
    """

    screen: "Screen"
    say: Callable[[str], None]
    tell: Callable[[Told], None]
    stop: Stop


def request(place: Path, target: str, body: Mapping[str, Any] | None = None) -> Event:
    """Ask for one object, and wait for it.

    Raises:
        NoDaemon: None comes.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    for line in lines(place, target, body):
        if line is not None:
            return _event(line)
        if time.monotonic() > deadline:
            break
    raise NoDaemon(f"no answer from {place}")


def ask(place: Path, body: Mapping[str, Any], ear: Ear) -> Told:
    """Let the daemon answer a question, and show what comes of it.

    Raises:
        NoDaemon: Nobody answers there.
        Declined: The daemon leaves it to us; nothing was done.
        Lost: It ended in between; what was shown is taken back.
        ShammahError: It cannot be answered as asked.
    """
    answer = _Answer(place, ear)
    for line in lines(place, "/private/ask", body):
        answer.hear(line)
    return answer.ended()


class _Answer:
    """One answer on its way to a screen."""

    def __init__(self, place: Path, ear: Ear) -> None:
        self._place = place
        self._ear = ear
        self._told: Told | None = None
        self._number: int | None = None
        self._is_stopped = False
        self._has_shown = False
        self._deadline = time.monotonic() + PATIENCE_SECONDS

    def hear(self, line: bytes | None) -> None:
        """Take an event, or the news that none came for a moment."""
        if line is not None:
            self._take(_event(line))
        elif self._number is None and time.monotonic() > self._deadline:
            raise NoDaemon(f"no answer from {self._place}")
        if self._ear.stop() and not self._is_stopped and self._number is not None:
            self._is_stopped = True
            request(self._place, "/private/cancel", {"number": self._number})

    def ended(self) -> Told:
        """What came before the connection ended.

        Raises:
            Lost: Not the answer.
        """
        if self._told is not None:
            return self._told
        if self._number is None:
            raise NoDaemon(f"{self._place} closes before it accepts")
        raise self._lost("the daemon ended")

    def _lost(self, why: str) -> Lost:
        if self._has_shown:
            self._ear.screen.discard(f"{why}; the question is answered anew")
        return Lost(why)

    def _take(self, event: Event) -> None:
        match event:
            case {"accepted": number}:
                self._number = number
            case {"declined": why}:
                raise Declined(why)
            case {"error": {"kind": "EngineDied" | "EngineBusy", "message": why}}:
                raise self._lost(why)
            case {"error": error}:
                raise error_of(error)
            case {"say": line}:
                self._ear.say(line)
            case {"told": row}:
                self._told = Told.of(row)
                self._ear.tell(self._told)
            case _:
                self._show(event)

    def _show(self, event: Event) -> None:
        match event:
            case {"draft": text}:
                self._has_shown = True
                self._ear.screen.draft(text)
            case {"final": text}:
                self._has_shown = True
                self._ear.screen.final(text)
            case {"accept": _}:
                self._ear.screen.accept()
            case {"discard": why}:
                self._has_shown = False
                self._ear.screen.discard(why)


def error_of(row: Mapping[str, str]) -> ShammahError:
    """One of our errors, as the daemon met it."""
    kind = getattr(errors, row["kind"], ShammahError)
    if not (isinstance(kind, type) and issubclass(kind, ShammahError)):
        kind = ShammahError
    error: ShammahError = kind(row["message"], hint=row["hint"])
    return error


def lines(place: Path, target: str, body: Mapping[str, Any] | None = None) -> Iterator[bytes | None]:
    """The lines of an answer as they come; None at each moment at which none came.

    Raises:
        NoDaemon: There is no daemon, or it refuses.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE_SECONDS)
        try:
            connection.connect(str(place))
            connection.sendall(_head(target, body))
        except OSError as error:
            raise NoDaemon(f"{place}: {error}") from error
        connection.settimeout(TICK_SECONDS)
        yield from _read(connection, place)


def _head(target: str, body: Mapping[str, Any] | None) -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    method = "GET" if body is None else "POST"
    kind = f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n" if data else ""
    return f"{method} {target} HTTP/1.0\r\nHost: localhost\r\n{kind}\r\n".encode() + data


def _read(connection: socket.socket, place: Path) -> Iterator[bytes | None]:
    head, buffer = b"", b""
    while True:
        try:
            data = connection.recv(65536)
        except TimeoutError:
            yield None
            continue
        except OSError:  # whoever is killed may reset the connection
            data = b""
        buffer += data
        if not head and (found := buffer.find(b"\r\n\r\n")) >= 0:
            head, buffer = buffer[:found], buffer[found + 4 :]
            _check(head, place)
        if head:
            *whole, buffer = buffer.split(b"\n")
            yield from whole
        elif len(buffer) > LARGEST_HEADER_BYTES:
            raise NoDaemon(f"{place} does not speak HTTP")
        if not data:
            if head and buffer:  # an object that ends without a line end
                yield buffer
            return


def _check(head: bytes, place: Path) -> None:
    words = head.split(b"\r\n", 1)[0].split()
    if len(words) < 2 or words[1] != b"200":
        raise NoDaemon(f"{place} answers {head[:80]!r}")


def _event(line: bytes) -> Event:
    try:
        event = json.loads(line)
    except ValueError as error:
        raise NoDaemon(f"{line[:80]!r} is no event") from error
    if not isinstance(event, dict):
        raise NoDaemon(f"{line[:80]!r} is no event")
    return event
