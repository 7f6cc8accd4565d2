"""One question on its way: what was asked, where it shows, what came of it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from shammah.generation import Sampling, beside
from shammah.patterns import Patterns
from shammah.policy import FIXED, Limits, Reason, Side, Thresholds
from shammah.privacy import Redactor
from shammah.records.questions import Answer, NewAnswer, Question
from shammah_convert.chat import Message


class Screen(Protocol):
    """Where a question's progress is shown."""

    def draft(self, text: str) -> None:
        """Show a piece of a local answer that may still be replaced."""
        ...

    def final(self, text: str) -> None:
        """Show a piece of the answer."""
        ...

    def accept(self) -> None:
        """Make what was drafted the answer."""
        ...

    def discard(self, why: str) -> None:
        """Take back all that was shown of the answer so far."""
        ...

    def forwarding(self, worst_usd: float) -> None:
        """Say, where nobody has heard it, that the question goes to the teacher, and what that costs at most."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks, and how.

    Attributes:
        history: The turns before, as the journal keeps them.
        is_offline: Nothing may leave the machine for it.
        is_private: `privacy.never_forward` keeps the conversation on this machine, whatever is asked for.
        id: Under which it is recorded, where somebody has to name it before; empty takes a new one.
    """

    text: str
    session: str
    history: tuple[Message, ...] = ()
    system: str = ""
    forced: Side | None = None
    wants_verified: bool = False
    is_offline: bool = False
    is_private: bool = False
    sampling: Sampling = field(default_factory=Sampling)
    id: str = ""

    @property
    def context(self) -> list[Message]:
        """The whole conversation, this question last; a new system message replaces an earlier one."""
        earlier = [m for m in self.history if not (self.system and m.role == "system")]
        system = [Message("system", self.system)] if self.system else []
        return [*system, *earlier, Message("user", self.text)]

    @property
    def may_go_online(self) -> bool:
        """Whether the question, and what follows it in the conversation, may ever leave the machine."""
        return not (self.is_offline or self.is_private) and self.forced is not Side.LOCAL

    def heeding(self, never: Patterns, redacted: Sequence[Message]) -> "Request":
        """The request, private where something in it never leaves; a secret hides no match, and no placeholder does."""
        texts = (message.content for message in [*self.context, *redacted])
        is_private = self.is_private or never.meet([*texts, *beside(self.sampling)])
        return replace(self, is_private=is_private)

    @property
    def earlier_turns(self) -> int:
        """How many questions came before."""
        return sum(message.role == "user" for message in self.history)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer that was given, with the secrets back in place, and what led to it.

    Attributes:
        text: For the eyes of the one who asked; the record beside it is redacted.
        seconds: By stage.
        stop_text: The one of the wanted stop texts that it ended before; empty for none.
    """

    text: str
    question: Question
    answer: Answer
    count: int
    redactions: int
    seconds: dict[str, float]
    validator_probability: float | None
    stop_text: str = ""


def is_private(answer: Answer) -> bool:
    """Whether what goes on from an answer stays here: its record says so, also where what matched was replaced."""
    return answer.reason == Reason.PRIVATE


@dataclass(slots=True)
class Turn:
    """A question while it is worked on."""

    request: Request
    redactor: Redactor
    question: Question
    limits: Limits
    count: int
    settled: Thresholds = FIXED
    seconds: dict[str, float] = field(default_factory=dict)
    answers: list[NewAnswer] = field(default_factory=list)
    text: str = ""
    stop_text: str = ""

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add what happens inside to a stage's seconds."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = round(self.seconds.get(stage, 0.0) + time.perf_counter() - start, 6)
