"""Where an answer of a conversation grows: rendered as it comes, a draft dim, and taken back where it is rejected."""

import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

from shammah.cli.screen import harmless, say
from shammah.repl import view

# Rendering anew is to take a tenth of the time at most: decoding needs the rest.
SHORTEST_PAUSE_SECONDS, REST = 0.05, 9


class Live:
    """Draws an answer on a terminal, and again what has changed of it."""

    def __init__(self, announce: Callable[[float], None], stream: TextIO = sys.stdout) -> None:
        self.forwarding = announce
        self._stream = stream
        self._hides_drafts = view.is_plain()  # without styles a draft looks like an answer
        self._text, self._is_draft = "", False
        self._rows: list[str] = []
        self._next_at = 0.0

    def draft(self, text: str) -> None:
        """Show a dim piece."""
        self._is_draft = True
        self._text += text
        if not self._hides_drafts:
            self._draw_now_and_then()

    def final(self, text: str) -> None:
        """Show a piece of the answer."""
        self._text += text
        self._draw_now_and_then()

    def accept(self) -> None:
        """Draw the whole answer, and end it."""
        self._is_draft = False
        self._draw()
        if self._rows:
            self._write("\n")
        self._forget()

    def discard(self, why: str) -> None:
        """Take back what was shown; what has scrolled away is struck out below."""
        is_out_of_reach = len(self._rows) > self._height()
        self._repaint([])
        if is_out_of_reach:
            self._write("--- what stands above is withdrawn ---\n")
        self._forget()
        say(f"({harmless(why)})")

    def leave(self) -> None:
        """End the line of what was shown and became no answer."""
        if self._rows:
            self._write("\n")
        self._forget()

    def _draw_now_and_then(self) -> None:
        started = time.monotonic()
        if started < self._next_at:
            return
        self._draw()
        ended = time.monotonic()
        self._next_at = ended + max(SHORTEST_PAUSE_SECONDS, REST * (ended - started))

    def _draw(self) -> None:
        # The last column stays free: some terminals break the line there, and some do not.
        columns = max(20, shutil.get_terminal_size().columns - 1)
        self._repaint(view.rows(self._text, columns, self._is_draft))

    def _repaint(self, rows: list[str]) -> None:
        """Go back to the first row that differs, and write from there on; the cursor rests in the last row."""
        old, self._rows = self._rows, rows
        pairs = zip(old, rows, strict=False)
        same = next((place for place, (one, other) in enumerate(pairs) if one != other), min(len(old), len(rows)))
        if len(rows) < len(old):  # the last row is written again, so that the cursor rests there
            same = min(same, max(0, len(rows) - 1))
        same = max(same, len(old) - self._height())  # above that, rows have scrolled away
        if same >= len(old):
            start = "\n" if old and len(rows) > len(old) else ""
        else:
            up = len(old) - 1 - same
            start = (f"\x1b[{up}A" if up else "") + "\r\x1b[J"
        self._write(start + "\n".join(rows[same:]))

    def _height(self) -> int:
        return shutil.get_terminal_size().lines

    def _forget(self) -> None:
        self._text, self._is_draft, self._rows, self._next_at = "", False, [], 0.0

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
