"""Texts that end an answer, wherever the borders between its pieces fall."""

from collections.abc import Sequence


class Stops:
    """Passes text on until a stop text comes; what may be the beginning of one is held back.

    Attributes:
        hit: The stop text that came; empty while none has.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = tuple(text for text in texts if text)
        self._held = ""
        self.hit = ""

    @property
    def is_hit(self) -> bool:
        """Whether one came."""
        return bool(self.hit)

    def take(self, piece: str) -> str:
        """What of the text so far can be shown; nothing of a stop text, nor behind it."""
        if not self._texts:
            return piece
        text = self._held + piece
        found = [(text.find(stop), stop) for stop in self._texts if stop in text]
        if found:
            place, self.hit = min(found)
            self._held = ""
            return text[:place]
        kept = max(_beginning(text, stop) for stop in self._texts)
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept]

    def rest(self) -> str:
        """What was held back for nothing, once the answer is over."""
        held, self._held = self._held, ""
        return held


def _beginning(text: str, stop: str) -> int:
    """How many letters at a text's end may be the beginning of a stop text."""
    longest = min(len(text), len(stop) - 1)
    return next((count for count in range(longest, 0, -1) if text.endswith(stop[:count])), 0)
