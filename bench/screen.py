"""A terminal as far as a recording needs one: rows of letters with their styles, after all that was written to it."""

import re
from collections.abc import Sequence
from itertools import groupby

_PIECE = re.compile(r"\x1b\[\??([\d;]*)([A-Za-z])|\x1b\][^\x07]*\x07|([\r\n\t])|([^\x1b])", re.DOTALL)

Cell = tuple[str, str]
"""A letter, and the escape sequences that style it."""


class Screen:
    """Obeys text, line ends, styles, going up and erasing; rows never scroll away."""

    def __init__(self, columns: int) -> None:
        self.rows: list[list[Cell]] = [[]]
        self._columns = columns
        self._row = self._column = 0
        self._style = ""

    def write(self, text: str) -> None:
        """Take what a program writes."""
        for found in _PIECE.finditer(text):
            numbers, letter, control, character = found.groups()
            if letter:
                self._obey(letter, numbers, found[0])
            elif control:
                self._move(control)
            elif character:
                self._put(character)

    def lines(self) -> list[str]:
        """The rows as text with escape sequences, without blanks at the ends and empty rows at the end."""
        lines = [_styled(row) for row in self.rows]
        while lines and not lines[-1].strip():
            lines.pop()
        return [line.rstrip() for line in lines]

    def _obey(self, letter: str, numbers: str, sequence: str) -> None:
        match letter:
            case "m":
                self._style = "" if numbers in ("", "0") else self._style + sequence
            case "A":
                self._row = max(0, self._row - int(numbers or 1))
            case "K":
                del self._here[0 if numbers == "2" else self._column :]
            case "J":
                del self._here[self._column :]
                del self.rows[self._row + 1 :]

    def _move(self, control: str) -> None:
        if control == "\r":
            self._column = 0
        elif control == "\n":
            self._feed()
        else:
            self._column += 8 - self._column % 8

    def _put(self, character: str) -> None:
        if self._column == self._columns:
            self._feed()
            self._column = 0
        row = self._here
        row += [(" ", "")] * (self._column - len(row))
        row[self._column : self._column + 1] = [(character, self._style)]
        self._column += 1

    def _feed(self) -> None:
        self._row += 1
        if self._row == len(self.rows):
            self.rows.append([])

    @property
    def _here(self) -> list[Cell]:
        return self.rows[self._row]


def _styled(row: Sequence[Cell]) -> str:
    """A row as text, each run of one style between its sequences and the end of all."""
    parts = ((style, "".join(letter for letter, _ in cells)) for style, cells in groupby(row, lambda cell: cell[1]))
    return "".join(f"{style}{text}\x1b[0m" if style else text for style, text in parts)
