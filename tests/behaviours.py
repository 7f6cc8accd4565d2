"""What a server of a test does with a request, well or badly."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer.

    Attributes:
        chunks: In so many pieces.
        thinking: Said in a thinking block before the text; empty means no such block.
        hold: The pieces after the first wait for this event.
        calls: Tools that are called after the text, by name, with their input.
    """

    text: str
    chunks: int = 2
    stop_reason: str = "end_turn"
    input_tokens: int = 12
    output_tokens: int = 34
    thinking: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    hold: threading.Event | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """An HTTP error in Anthropic's form."""

    code: int
    error_type: str = "api_error"
    message: str = "Internal server error"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mute:
    """Not even a status line."""


@dataclass(frozen=True, slots=True)
class Stall:
    """The stream begins, says the text if there is one, and falls silent."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Drip:
    """The stream begins, says the text if there is one, and then pings for ever."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class CutClean:
    """The connection ends in good order between two events, before the answer's end."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class CutDirty:
    """The connection breaks inside a chunk of the chunked transfer."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Garbage:
    """A page for the eye where the API should be, with status 200."""

    page: str = "<!DOCTYPE html><html><body>Please log in to this network.</body></html>"


@dataclass(frozen=True, slots=True)
class Redirect:
    """The way to another address, in which a client would repeat the whole request."""

    to: str
    code: int = 307


@dataclass(frozen=True, slots=True)
class BadJson:
    """An event whose data is no JSON."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """An error that comes after the status line said 200."""

    text: str = ""
    error_type: str = "overloaded_error"
    message: str = "Overloaded"


Behaviour = Answer | Status | Mute | Stall | Drip | CutClean | CutDirty | Garbage | Redirect | BadJson | ErrorEvent


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent; names of headers in lower case."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
