"""What an API's answer is made of, before it takes the form of OpenAI's or of Anthropic's."""

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shammah.generation import Finish
from shammah.serve.failures import Failure
from shammah.serve.wanted import Object, Wanted
from shammah.tool_text import Call

Piece = str | Call


@dataclass(frozen=True, slots=True)
class Head:
    """What is said of an answer before it comes.

    Attributes:
        id: Of the question, in the journal.
        created: In seconds since the epoch.
    """

    id: str
    model: str
    created: int = field(default_factory=lambda: int(time.time()))


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer with all that is said of it.

    Attributes:
        told: The outcome, as `shammah ask --json` says it.
        stop_text: The one of the wanted stop texts that it ended before; empty for none.
    """

    head: Head
    text: str
    calls: tuple[Call, ...]
    finish: Finish
    prompt_tokens: int
    completion_tokens: int
    told: Object
    stop_text: str = ""

    @property
    def fingerprint(self) -> str:
        """What answered: the same one with the same seed says the same."""
        adapters = "+".join(f"{one['name']}:{one['scale']:g}" for one in self.told["adapters"])
        return f"{self.told['model']}{'+' if adapters else ''}{adapters}"


class Dialect(Protocol):
    """One API's form of an answer."""

    def whole(self, whole: Whole) -> Object:
        """All at once."""
        ...

    def opening(self, head: Head) -> Iterator[str]:
        """What a stream begins with, as events ready to be sent."""
        ...

    def piece(self, piece: Piece) -> Iterator[str]:
        """A piece of the text, or a call."""
        ...

    def closing(self, whole: Whole) -> Iterator[str]:
        """What a stream ends with."""
        ...

    def failing(self, failure: Failure) -> Iterator[str]:
        """What a stream ends with that began and cannot go on."""
        ...


def at_once(calls: Sequence[Call], wanted: Wanted) -> tuple[Call, ...]:
    """The calls that the client takes in one answer."""
    return tuple(calls[:1] if wanted.calls_once else calls)


def call_id(prefix: str) -> str:
    """A name for a call, by which its result finds it."""
    return f"{prefix}_{secrets.token_hex(12)}"
