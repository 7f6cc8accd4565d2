"""Numbers as people read them."""

from typing import Literal, assert_never

from shammah import times
from shammah_convert.intervals import Interval

Unit = Literal["count", "share", "usd", "divergence", "seconds"]

NOT_KNOWN = "-"


def percent(share: float | None) -> str:
    """A share; one below ten percent with a tenth."""
    if share is None:
        return NOT_KNOWN
    return f"{share:.1%}" if 0 < share < 0.0995 else f"{share:.0%}"


def between(interval: Interval | None) -> str:
    """Where a share lies."""
    return f"{percent(interval.low)} to {percent(interval.high)}" if interval else NOT_KNOWN


def usd(amount: float | None) -> str:
    """Dollars and cents; below ten cents to the hundredth of a cent."""
    if amount is None:
        return "not known"
    sign, size = "-" if amount < 0 else "", round(abs(amount), 4)
    return f"{sign}${size:,.2f}" if size >= 0.1 or not size else f"{sign}${size:.4f}"


def duration(seconds: float) -> str:
    """Seconds, or minutes and hours where they are many."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes / 60:.1f} h"


def plural(count: int, noun: str) -> str:
    """A count with its noun."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def day_of(moment: str) -> str:
    """The day of a time of the journal, by the local clock."""
    return times.to_day(moment)


def in_unit(value: float, unit: Unit) -> str:
    """A value of a curve."""
    match unit:
        case "count":
            return f"{value:,.0f}"
        case "share":
            return percent(value)
        case "usd":
            return usd(value)
        case "divergence":
            return f"{value:.2f}"
        case "seconds":
            return duration(value)
        case never:
            assert_never(never)
