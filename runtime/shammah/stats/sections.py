"""What a report on figures is made of: sections with a table, with curves and with what is to be said of them."""

from dataclasses import dataclass

from shammah.stats.estimates import Calibration
from shammah.stats.numbers import Unit
from shammah_convert.intervals import Interval


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table; where a share is given, a bar is drawn beside it."""

    cells: tuple[str, ...]
    bar: float | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """A value over time, None where there was none.

    Attributes:
        band: Where each value lies in 95 of 100 such samples; empty where that is not told.
        limit: What it is to stay below.
    """

    name: str
    unit: Unit
    values: tuple[float | None, ...]
    band: tuple[Interval | None, ...] = ()
    limit: float | None = None

    @property
    def known(self) -> list[float]:
        """The values that there are."""
        return [value for value in self.values if value is not None]

    @property
    def says_something(self) -> bool:
        """Whether it is worth drawing: shares of zero are, counts and dollars of zero are not."""
        return bool(self.known) and (self.unit in ("share", "divergence") or any(self.known))


@dataclass(frozen=True, slots=True)
class Section:
    """A table under a title.

    Attributes:
        head: Of the columns.
        left: So many of the first columns are words, and stand on the left.
        notes: Sentences below it.
        starts: The first day of each value of the curves.
        marks: Days on which something changed that the curves may show, ISO 8601.
        reliability: What a head said beside what turned out, to be drawn.
    """

    title: str
    head: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    left: int = 1
    starts: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    curves: tuple[Curve, ...] = ()
    reliability: Calibration | None = None
