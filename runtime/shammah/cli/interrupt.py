"""Ctrl-C while an answer is made."""

import signal
from types import FrameType, TracebackType
from typing import Any


class Interrupt:
    """Turns the first Ctrl-C into a request to stop, which keeps what was shown; a second one ends at once.

    Called, it says whether to stop. It listens only inside its `with` block.
    """

    def __init__(self) -> None:
        self._presses = 0
        self._before: Any = None

    def __call__(self) -> bool:
        """Whether Ctrl-C was pressed."""
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
        if self._presses > 1:
            raise KeyboardInterrupt
