"""Where an answer shows: the answer on stdout, all else on stderr."""

import json
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Callable
from typing import TextIO

# What a model or a teacher writes is text: C0 and C1 controls but tab and newline would steer the terminal, and those
# of writing from right to left would let a command look like another one.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_BEGINNING = re.compile(r" *(?:[+-] )?")
WIDE = 100
_DIM, _PLAIN = "\x1b[2m", "\x1b[22m"


def harmless(text: str) -> str:
    """The text without control characters that a terminal obeys."""
    return _CONTROLS.sub("", text.replace("\r\n", "\n"))


def write(text: str) -> None:
    """Write to stdout, harmless; whoever reads there and has had enough ends nothing."""
    draw(harmless(text))


def json_line(value: object) -> str:
    """A value as one line of JSON, in which what a terminal would obey is escaped."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def draw(text: str) -> None:
    """Write what has styles of our own to stdout, as it is."""
    _print(text, sys.stdout)


def _print(text: str, stream: TextIO) -> None:
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        # Python would complain while it flushes the stream at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def tell(text: str) -> None:
    """Write what people read: harmless, and on a terminal with its lines broken between words."""
    text = harmless(text)
    write(folded(text) if sys.stdout.isatty() else text)


def table_columns() -> int:
    """How wide a table may be: as the terminal, or as `WIDE` elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDE


def say(line: str) -> None:
    """One line beside the answer; whoever reads there and has had enough ends nothing."""
    text = harmless(line)
    _print(folded(text) if sys.stderr.isatty() else text, sys.stderr)


def folded(text: str) -> str:
    """The text with its lines broken between words, where the terminal would break them within."""
    from textwrap import wrap  # only people at a terminal need it

    columns = shutil.get_terminal_size().columns
    parts = (
        [line]
        if width(line) <= columns
        else wrap(line, columns, subsequent_indent=_indent(line), break_long_words=False, break_on_hyphens=False)
        for line in text.split("\n")
    )
    return "\n".join(row for part in parts for row in part)


def _indent(line: str) -> str:
    """What a line begins with, as blanks: its own, and those below the sign of a list."""
    found = _BEGINNING.match(line)
    return " " * len(found[0]) if found else ""


class Silent:
    """Shows nothing until the answer is final: for pipes and JSON."""

    def __init__(self, announce: Callable[[float], None]) -> None:
        self.forwarding = announce

    def draft(self, text: str) -> None:
        """Keep it quiet."""

    def final(self, text: str) -> None:
        """Keep it quiet; the whole answer is written at the end."""

    def accept(self) -> None:
        """Keep it quiet."""

    def discard(self, why: str) -> None:
        """Say why on stderr, for a log that somebody may read."""
        say(why[0].upper() + why[1:] + ".")


class Terminal:
    """Streams to a terminal; a draft is dim, and visibly replaced when it is discarded."""

    def __init__(self, announce: Callable[[float], None], stream: TextIO = sys.stdout) -> None:
        self.forwarding = announce
        self._stream = stream
        self._is_plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        self._shown = ""
        self._is_draft = False

    def draft(self, text: str) -> None:
        """Show a dim piece; a terminal without styles shows drafts only once they are accepted."""
        self._is_draft = True
        self._shown += harmless(text)
        if not self._is_plain:
            self._write(f"{_DIM}{harmless(text)}{_PLAIN}")

    def final(self, text: str) -> None:
        """Show a piece of the answer."""
        self._shown += harmless(text)
        self._write(harmless(text))

    def accept(self) -> None:
        """Redraw a draft as the answer, and end the line."""
        if self._is_draft:
            self._erase()
            self._write(self._shown)
        if self._shown and not self._shown.endswith("\n"):
            self._write("\n")
        self._forget()

    def discard(self, why: str) -> None:
        """Take back what was shown, or strike a line under it where it has scrolled away."""
        self._erase()
        self._forget()
        say(f"({why})")

    def _erase(self) -> None:
        if not self._shown or (self._is_plain and self._is_draft):
            return
        columns, lines = shutil.get_terminal_size()
        rows = sum(max(0, width(line) - 1) // columns for line in self._shown.split("\n")) + self._shown.count("\n")
        if rows >= lines - 1:
            self._write("\n---\n")
        else:
            self._write((f"\x1b[{rows}A" if rows else "") + "\r\x1b[J")

    def _forget(self) -> None:
        self._shown, self._is_draft = "", False

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def width(text: str) -> int:
    """Columns that a line takes on a terminal: wide characters two, combining ones none, tabs up to eight."""
    columns = 0
    for character in text:
        if character == "\t":
            columns += 8 - columns % 8
        elif not unicodedata.combining(character):
            columns += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return columns
