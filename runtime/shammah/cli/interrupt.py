"""Ctrl-C while an answer is made."""

import signal
import time
from types import FrameType, TracebackType
from typing import Any

# Whoever generates asks more often than this; where nobody does, waiting to be asked would hang.
LISTENING_SECONDS = 2.0


class Interrupt:
    """Turns the first Ctrl-C into a request to stop, which keeps what was shown.

    Called, it says whether to stop. Where nobody has called it lately, and at the second Ctrl-C, it ends at once.
    It works only inside its `with` block.
    """

    def __init__(self) -> None:
        self._presses = 0
        self._asked_at = float("-inf")
        self._before: Any = None

    def __call__(self) -> bool:
        """Whether Ctrl-C was pressed."""
        self._asked_at = time.monotonic()
        return self._presses > 0

    def __enter__(self) -> "Interrupt":
        self._before = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _press(self, _signal: int, _frame: FrameType | None) -> None:
        self._presses += 1
        is_heard = time.monotonic() - self._asked_at < LISTENING_SECONDS
        if self._presses > 1 or not is_heard:
            raise KeyboardInterrupt
