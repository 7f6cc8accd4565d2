"""What was said so far, and what the next question goes on from."""

from dataclasses import dataclass, replace

from shammah.errors import UsageError
from shammah.generation import Sampling
from shammah.policy import Side
from shammah.settings import Settings
from shammah.turn import Outcome, Request, is_private
from shammah_convert.chat import Message


@dataclass(frozen=True, slots=True)
class Spoken:
    """A question with the answer that was shown."""

    request: Request
    outcome: Outcome

    @property
    def context(self) -> tuple[Message, ...]:
        """The conversation with this answer at its end, as the journal keeps it."""
        return (*self.outcome.question.context, Message("assistant", self.outcome.answer.text))


def following(text: str, last: Spoken | None, settings: Settings, session: str) -> Request:
    """The request that a message makes."""
    return Request(
        text=text,
        session=session,
        history=last.context if last else (),
        system=settings.answer.system,
        is_offline=settings.offline,
        is_private=last is not None and is_private(last.outcome.answer),
        sampling=Sampling(settings.answer.max_tokens, settings.answer.temperature),
    )


def again(last: Spoken | None, side: Side) -> Request:
    """The last question once more, for a side.

    Raises:
        UsageError: Nothing was asked, or nothing may leave the machine.
    """
    if last is None:
        raise UsageError("nothing was asked yet", hint="Type a question.")
    if side is Side.TEACHER and last.request.is_offline:
        raise UsageError("nothing leaves this machine: this is an offline conversation", hint="Begin one online.")
    return replace(last.request, forced=side)
