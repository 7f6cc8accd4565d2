"""Sums that a text writes down, such as `3 x $2 = $6`: what they take, what they claim, and whether it holds.

A text is read once, token by token, so that no text takes long. Brackets are passed over: a sum with brackets may
be taken for one that does not hold.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Relative to the value, for results that were rounded to cents.
TOLERANCE = 0.011
# Units may stand between a figure and an operator: 3 egg boxes x 6.
UNIT_WORDS = 2
MOST_FIGURE_DIGITS = 15

FIGURE = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?")
_CALCULATOR = re.compile(r"<<[^>]*>>")
_TOKEN = re.compile(
    r"(?P<figure>\d[\d,]*(?:\.\d+)?)(?P<percent>%?)|(?P<word>[^\W\d_]{2,})|(?P<operator>[-+*/x\u00d7\u00f7])|(?P<equals>=)"
    r"|(?P<open>[$()\s])|(?P<other>.)"
)


@dataclass(frozen=True, slots=True)
class Sum:
    """Figures, the operators between them, and the result that the text claims."""

    figures: tuple[float, ...]
    operators: tuple[str, ...]
    result: float

    @property
    def holds(self) -> bool:
        """Whether the result is right, rounding aside; a percentage may stand for its hundredfold."""
        value = _value(self.figures, self.operators)
        return value is not None and any(is_close(value * factor, self.result) for factor in (1, 100, 0.01))


def figures(text: str) -> list[float]:
    """All figures of a text, in order."""
    return [_parsed(found) for found in FIGURE.findall(text)]


def without_calculator(text: str) -> str:
    """The text without the marks of a calculator, `<<3*2=6>>`."""
    return _CALCULATOR.sub("", text)


def is_close(a: float, b: float) -> bool:
    """Whether two values are the same, rounding aside."""
    return abs(a - b) <= TOLERANCE * max(1.0, abs(a))


def find(text: str) -> Iterator[Sum]:
    """The sums of a text, in order; a result may begin the next one."""
    reader = _Reader()
    for token in _TOKEN.finditer(text):
        found = reader.take(token)
        if found:
            yield found


class _Reader:
    """Collects figures and operators until a result follows an equals sign."""

    def __init__(self) -> None:
        self._figures: list[float] = []
        self._operators: list[str] = []
        self._has_equals = False
        self._words = 0

    def take(self, token: re.Match[str]) -> Sum | None:
        """One more token; the sum that it ends, if any."""
        match token.lastgroup:
            case "figure" | "percent":
                return self._take_figure(_parsed(token["figure"]) / (100 if token["percent"] else 1))
            case "operator":
                self._take_operator(token[0])
            case "equals":
                self._take_equals()
            case "word":
                self._words += 1
                if self._words > UNIT_WORDS:
                    self._start()
            case "other":
                self._start()
        return None

    def _take_figure(self, value: float) -> Sum | None:
        self._words = 0
        found = None
        if self._has_equals:
            found = Sum(tuple(self._figures), tuple(self._operators), value)
            self._start(value)
        elif len(self._figures) == len(self._operators):
            self._figures.append(value)
        else:
            self._start(value)
        return found

    def _take_operator(self, operator: str) -> None:
        if self._has_equals or len(self._operators) >= len(self._figures):
            self._start()
        else:
            self._words = 0
            self._operators.append(operator)

    def _take_equals(self) -> None:
        if self._operators and len(self._figures) > len(self._operators) and not self._has_equals:
            self._has_equals, self._words = True, 0
        else:
            self._start()

    def _start(self, *figures: float) -> None:
        self._figures, self._operators = list(figures), []
        self._has_equals, self._words = False, 0


def _parsed(figure: str) -> float:
    """A figure's value; digits beyond 15 say nothing more."""
    whole, _, rest = figure.replace(",", "").partition(".")
    return float(f"{whole[:MOST_FIGURE_DIGITS]}.{rest[:MOST_FIGURE_DIGITS]}")


def _value(figures: Sequence[float], operators: Sequence[str]) -> float | None:
    """Products first, then sums; None for a division by zero."""
    terms = [figures[0]]
    for operator, figure in zip(operators, figures[1:], strict=True):
        match operator:
            case "+":
                terms.append(figure)
            case "-":
                terms.append(-figure)
            case "/" | "\u00f7":
                if figure == 0:
                    return None
                terms[-1] /= figure
            case _:
                terms[-1] *= figure
    return sum(terms)
