"""A small terminal: what stands on its rows after all that was written to it."""

import re

_PIECE = re.compile(r"\x1b\[([\d;]*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n])")


class Terminal:
    """Obeys what `Live` writes: text, line ends, going up, erasing below; rows that scroll away are kept apart.

    Attributes:
        gone: Rows that have scrolled away.
        rows: What can be seen: each character, and whether it is dim.
    """

    def __init__(self, columns: int = 40, height: int = 10) -> None:
        self.gone: list[str] = []
        self.rows: list[list[tuple[str, bool]]] = [[]]
        self._columns, self._height = columns, height
        self._row = self._column = 0
        self._is_dim = False

    def write(self, text: str) -> int:
        """Take what is written."""
        place = 0
        while place < len(text):
            found = _PIECE.match(text, place)
            assert found is not None, f"no terminal knows {text[place : place + 9]!r}"
            place = found.end()
            self._obey(found)
        return len(text)

    def flush(self) -> None:
        """All is there already."""

    @property
    def text(self) -> str:
        """What can be seen."""
        return "\n".join("".join(letter for letter, _ in row) for row in self.rows)

    @property
    def dim_text(self) -> str:
        """What of it is dim."""
        return "".join(letter for row in self.rows for letter, is_dim in row if is_dim)

    def _obey(self, found: re.Match[str]) -> None:
        number, letter, back, down, character = found.groups()
        if letter == "m":
            self._is_dim = "2" in number.split(";") or (self._is_dim and number not in ("", "0", "22"))
        elif letter == "A":
            self._row = max(0, self._row - int(number or 1))
        elif letter == "J":
            self.rows[self._row] = self.rows[self._row][: self._column]
            del self.rows[self._row + 1 :]
        elif back:
            self._column = 0
        elif down:
            self._feed()
        else:
            assert letter is None, f"no such escape: {letter}"
            self._put(character)

    def _feed(self) -> None:
        self._row, self._column = self._row + 1, 0
        if self._row == len(self.rows):
            self.rows.append([])
        if len(self.rows) > self._height:
            self.gone.append("".join(letter for letter, _ in self.rows.pop(0)))
            self._row -= 1

    def _put(self, character: str) -> None:
        assert self._column < self._columns, "a row is too long"
        self.rows[self._row][self._column :] = [(character, self._is_dim)]
        self._column += 1
