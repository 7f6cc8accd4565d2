"""The order in which the events of an answer of Claude's come; kinds that nobody knows yet may stand anywhere."""

from typing import Any


class Disorder(Exception):
    """The events do not make one answer: some of it came twice, too early, or after its end."""


class Order:
    """Watches one stream.

    Attributes:
        is_complete: Whether it has ended as it should.
    """

    def __init__(self) -> None:
        self.is_complete = False
        self._has_begun = False
        self._open: set[int] = set()

    def take(self, event: Any) -> None:
        """Look at the next event.

        Raises:
            Disorder: It cannot stand here.
        """
        match event.type:
            case "message_start":
                _check(not self._has_begun, "it begins twice")
                self._has_begun = True
            case "content_block_start":
                self._check_within(event)
                _check(event.index not in self._open, "a block begins twice")
                self._open.add(event.index)
            case "content_block_delta" | "content_block_stop":
                self._check_within(event)
                _check(event.index in self._open, "a block goes on that has not begun")
                if event.type == "content_block_stop":
                    self._open.remove(event.index)
            case "message_delta" | "message_stop":
                self._check_within(event)
                self.is_complete = event.type == "message_stop"

    def _check_within(self, event: Any) -> None:
        _check(self._has_begun, f"{event.type} comes before the beginning")
        _check(not self.is_complete, f"{event.type} comes after the end")


def _check(is_right: bool, otherwise: str) -> None:
    if not is_right:
        raise Disorder(otherwise)
