"""The threads that answer: so many at once, so many more that wait, and the rest is refused."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from shammah.errors import EngineBusy

P = ParamSpec("P")
T = TypeVar("T")
RETRY_SECONDS = 2


class Threads(ThreadPoolExecutor):
    """A pool whose queue ends somewhere."""

    def __init__(self, most: int, most_waiting: int) -> None:
        """Take how many answer at once, and how many may wait for them."""
        super().__init__(most, thread_name_prefix="answer")
        self._most = most + most_waiting
        self._taken = 0
        self._count = threading.Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Let a thread do something, once one is free.

        Raises:
            EngineBusy: As many wait already as may.
        """
        with self._count:
            if self._taken >= self._most:
                raise EngineBusy("as many requests wait already as may", retry_after_seconds=RETRY_SECONDS)
            self._taken += 1
        future = super().submit(fn, *args, **kwargs)
        future.add_done_callback(self._done)
        return future

    def _done(self, _: Future[Any]) -> None:
        with self._count:
            self._taken -= 1
