"""What daemon and engine say to each other: JSON objects one way, JSON lists of events the other way, a line each."""

import base64
import contextlib
import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shammah import errors
from shammah.errors import EngineBusy, EngineError, ShammahError
from shammah.generation import Chunk, End, Facts, Finish, Sampling
from shammah_convert.chat import Message
from shammah_convert.job import AdapterFile

TEXT, END, ERROR, REPLY = "text", "end", "error", "reply"

Event = list[Any]
"""The number of a request, what is said of it, and the rest."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What an engine opens.

    Attributes:
        path: The model, a GGUF file; empty opens none, for the embedder alone.
        threads: For prompts and decoding alike; 0 takes the physical cores that others leave free, again and again.
        gpu_layers: Layers to offload; None offloads all where that can be done.
        rows: Answers that are written at the same time.
        most_tokens: That the context of all answers together may grow to.
        most_waiting: Requests that wait for a row; more are refused.
        embedder: The sentence embedder's file; empty where there is none.
        marks: The folder where it is seen who died of which model; empty for none.
    """

    path: str
    threads: int = 0
    gpu_layers: int | None = None
    rows: int = 8
    most_tokens: int = 16384
    most_waiting: int = 64
    embedder: str = ""
    marks: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """What an engine says of the model that it has opened; `most_tokens` is the longest conversation."""

    facts: Facts
    threads: int
    gpu_layers: int
    most_tokens: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What answers a question that has one answer."""

    value: Any


Said = Chunk | ShammahError | Reply


class Wire:
    """One end of the pipe; any thread may send, one reads."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._lines = end.makefile("rb")
        self._lock = threading.Lock()

    def send(self, row: object) -> None:
        """Send one line.

        Raises:
            OSError: Nobody is at the other end.
        """
        data = json.dumps(row, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            self._end.sendall(data)

    def lines(self) -> Iterator[Any]:
        """What the other end sends, until it is gone."""
        try:
            for line in self._lines:
                yield json.loads(line)
        except (OSError, ValueError):  # it died within a line
            return
        finally:
            self._lines.close()

    def close(self) -> None:
        """Hang up: the other end reads no more lines."""
        with contextlib.suppress(OSError):  # it has hung up before
            self._end.shutdown(socket.SHUT_RDWR)
        self._end.close()


def event_of(number: int, said: Chunk | ShammahError) -> Event:
    """What is said of a request, as it is sent."""
    if isinstance(said, ShammahError):
        seconds = said.retry_after_seconds if isinstance(said, EngineBusy) else 0
        return [number, ERROR, type(said).__name__, str(said), said.hint, seconds]
    if said.end is not None:
        return [number, END, said.text, asdict(said.end)]
    return [number, TEXT, said.text, said.logprob]


def said_of(event: Event) -> Said:
    """What an event says."""
    match event[1:]:
        case [str(kind), text, logprob] if kind == TEXT:
            return Chunk(text, logprob)
        case [str(kind), text, dict(end)] if kind == END:
            adapters = tuple((name, scale) for name, scale in end.pop("adapters"))
            return Chunk(text, end=End(**end | {"finish": Finish(end["finish"]), "adapters": adapters}))
        case [str(kind), value] if kind == REPLY:
            return Reply(value)
        case [str(kind), name, text, hint, seconds] if kind == ERROR:
            return _error(name, text, hint, seconds)
        case _:
            raise AssertionError(f"{event} says nothing")


def _error(name: str, text: str, hint: str, seconds: int) -> ShammahError:
    kind = getattr(errors, name, EngineError)
    if kind is EngineBusy:
        return EngineBusy(text, hint, seconds)
    assert issubclass(kind, ShammahError), f"{name} is none of our errors"
    return kind(text, hint)


def opened_of(row: Mapping[str, Any]) -> Opened:
    """What an engine said when it opened the model."""
    return Opened(**{**row, "facts": Facts(**row["facts"])})


def messages_of(rows: Sequence[Mapping[str, Any]]) -> list[Message]:
    """A conversation that was sent."""
    return [Message(**row) for row in rows]


def sampling_of(row: Mapping[str, Any]) -> Sampling:
    """A sampling that was sent."""
    return Sampling(**{**row, "stop": tuple(row["stop"])})


def adapters_of(rows: Sequence[Mapping[str, Any]]) -> tuple[AdapterFile, ...]:
    """Adapters that were sent."""
    return tuple(AdapterFile(**row) for row in rows)


def packed(vector: NDArray[np.float32]) -> str:
    """A vector as text."""
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def unpacked(text: str) -> NDArray[np.float32]:
    """The vector that a text stands for."""
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float32)
