"""What a daemon has done since it began, for `serve status` and Prometheus."""

import threading
import time
from collections import Counter


class Counters:
    """Sums that many threads add to.

    Attributes:
        since: When they began, in seconds since the epoch.
    """

    def __init__(self) -> None:
        self.since = time.time()
        self._lock = threading.Lock()
        self._answers: Counter[tuple[str, str]] = Counter()
        self._requests: Counter[tuple[str, int]] = Counter()

    def answered(self, side: str, finish: str) -> None:
        """An answer was given."""
        with self._lock:
            self._answers[side, finish] += 1

    def requested(self, path: str, status: int) -> None:
        """A request was answered with a status; paths are those of our own table."""
        with self._lock:
            self._requests[path, status] += 1

    @property
    def answers(self) -> dict[tuple[str, str], int]:
        """How many, by side and how they ended."""
        with self._lock:
            return dict(self._answers)

    @property
    def requests(self) -> dict[tuple[str, int], int]:
        """How many, by path and status."""
        with self._lock:
            return dict(self._requests)
