"""Requests that wait for the model, and which of them comes next."""

import itertools
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shammah.errors import EngineBusy, EngineDied, ShammahError
from shammah.generation import Chunk
from shammah.local.writing import Writing
from shammah_convert.job import AdapterFile

Adapters = tuple[AdapterFile, ...]
Hear = Callable[[Chunk | ShammahError], None]
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
    hear: Hear
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


class Queue:
    """Those who wait, in the order in which they came; any thread may ask."""

    def __init__(self, rows: int, most: int, pace: Pace) -> None:
        """Let so many wait at most, for so many rows."""
        self._rows = rows
        self._most = most
        self._pace = pace
        self._numbers = itertools.count()
        self._requests: list[Request] = []
        self._news = threading.Condition()
        self._is_closed = False

    def join(self, tokens: Sequence[int], reach: int, adapters: Adapters, writing: Writing, hear: Hear) -> Request:
        """Wait from now on; an empty chunk is heard at once.

        Raises:
            EngineDied: The model was closed.
            EngineBusy: As many wait already as may.
        """
        with self._news:
            self.check()
            request = Request(next(self._numbers), tokens, reach, adapters, writing, hear)
            hear(Chunk())
            self._requests.append(request)
            self._news.notify_all()
        return request

    def check(self) -> None:
        """Whether somebody may join.

        Raises:
            EngineDied: The model was closed.
            EngineBusy: As many wait already as may.
        """
        if self._is_closed:
            raise EngineDied("the model was closed")
        if len(self._requests) >= self._most:
            seconds = self._pace.retry_after_seconds(len(self._requests), self._rows)
            raise EngineBusy(f"{len(self._requests)} requests wait already", retry_after_seconds=seconds)

    def wait(self, is_busy: Callable[[], bool]) -> bool:
        """Wait until there is work; False once the model is closed."""
        with self._news:
            self._news.wait_for(lambda: self._is_closed or self._requests or is_busy())
            return not self._is_closed

    def now(self) -> list[Request]:
        """Those who wait now."""
        with self._news:
            return list(self._requests)

    def remove(self, request: Request) -> None:
        """Take one out, who begins or has left."""
        with self._news:
            self._requests.remove(request)

    def close(self) -> None:
        """Let nobody join any more."""
        with self._news:
            self._is_closed = True
            self._news.notify_all()
