"""Requests that wait for the model, and which of them comes next."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shammah.errors import ShammahError
from shammah.generation import Chunk
from shammah.local.writing import Writing
from shammah_convert.job import AdapterFile

Adapters = tuple[AdapterFile, ...]
# Of the mean time that an answer takes, so much is the newest one's.
NEWEST_SHARE = 0.2


@dataclass(eq=False, slots=True, weakref_slot=True)
class Request:
    """An answer that somebody waits for.

    Attributes:
        number: Later ones have higher numbers.
        tokens: The prompt.
        reach: Prompt and the longest answer.
        hear: Gets its chunks and at last an end or an error, in the thread that decodes.
        is_left: Nobody waits any more; any thread may say so.
    """

    number: int
    tokens: Sequence[int]
    reach: int
    adapters: Adapters
    writing: Writing
    hear: Callable[[Chunk | ShammahError], None]
    is_left: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is: requests with these adapters, those up to a number before all others."""

    adapters: Adapters = ()
    last: int = -1


def who_is_next(waiting: Sequence[Request], turn: Turn, is_idle: bool) -> Request | None:
    """The request to begin with; None where those that run are to end first.

    First come, first served, but adapters are swapped only when nobody runs: at its turn a set of adapters serves
    all that wait for it by then, so that each set waits for one turn of each other set at most.

    Args:
        waiting: In the order in which they came.
        turn: Whose it is.
        is_idle: Nobody runs.
    """
    own = next((request for request in waiting if request.adapters == turn.adapters), None)
    other = next((request for request in waiting if request.adapters != turn.adapters), None)
    if own is not None and (other is None or own.number <= turn.last or own.number < other.number):
        return own
    return other if is_idle else None


def turn_of(request: Request, waiting: Sequence[Request]) -> Turn:
    """The turn that begins with a request."""
    return Turn(request.adapters, max(other.number for other in waiting))


class Pace:
    """How long an answer takes, on average."""

    def __init__(self) -> None:
        self._mean_seconds = 1.0

    def note(self, seconds: float) -> None:
        """Take in an answer that is over."""
        self._mean_seconds += NEWEST_SHARE * (seconds - self._mean_seconds)

    def retry_after_seconds(self, waiting: int, rows: int) -> int:
        """When so many requests that wait for so many rows will have begun."""
        return max(1, math.ceil(self._mean_seconds * waiting / rows))
