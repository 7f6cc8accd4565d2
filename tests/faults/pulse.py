"""How long this process was kept from running: what a busy machine takes is no fault of what is timed."""

import threading
import time
from collections import deque
from types import TracebackType
from typing import Self

BEAT_SECONDS = 0.01


class Pulse:
    """A thread that sleeps again and again between `__enter__` and `__exit__`, and keeps what it overslept."""

    def __init__(self) -> None:
        self._overslept: deque[tuple[float, float]] = deque(maxlen=100_000)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pulse")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def kept_waiting(self, since: float) -> float:
        """The seconds that nothing ran since a moment of the monotonic clock."""
        return sum(seconds for at, seconds in list(self._overslept) if at >= since)

    def _beat(self) -> None:
        before = time.monotonic()
        while not self._is_over.is_set():
            time.sleep(BEAT_SECONDS)
            now = time.monotonic()
            self._overslept.append((now, max(0.0, now - before - 2 * BEAT_SECONDS)))
            before = now
