"""A screen for readers who can take nothing back: a draft waits until it is the answer."""

from collections.abc import Callable

from shammah.policy import Side
from shammah.turn import Screen


class Hold:
    """Passes on what stands; what may still be replaced is held.

    Attributes:
        side: Who is answering now.
        is_broken: What was passed on does not stand after all; nothing follows.
    """

    def __init__(self, send: Callable[[str, Side], None]) -> None:
        """Take whoever gets each piece, with who says it."""
        self._send = send
        self._draft: list[str] = []
        self._has_sent = False
        self.side = Side.LOCAL
        self.is_broken = False

    def draft(self, text: str) -> None:
        """Hold a piece."""
        self._draft.append(text)

    def final(self, text: str) -> None:
        """Pass a piece on."""
        if text and not self.is_broken:
            self._has_sent = True
            self._send(text, self.side)

    def accept(self) -> None:
        """Pass the draft on."""
        text = "".join(self._draft)
        self._draft.clear()
        self.final(text)

    def discard(self, why: str) -> None:
        """Drop the draft; the local model is next, until the teacher is asked."""
        self._draft.clear()
        self.side = Side.LOCAL
        self.is_broken = self._has_sent

    def forwarding(self, worst_usd: float) -> None:
        """The teacher is asked."""
        self.side = Side.TEACHER


_IS_A_SCREEN: type[Screen] = Hold
