"""Days and weeks, as people name them and as a time line is cut into them."""

from datetime import date, datetime, timedelta
from typing import Literal

from shammah import times
from shammah.errors import UsageError

By = Literal["day", "week"]

DAYS = {"d": 1, "w": 7}
MOST_DAYS = 35
"""A longer time is cut into weeks, where nobody says into what."""
EARLIEST = date(2000, 1, 1)


def read_since(text: str, now: datetime) -> datetime:
    """The moment that is meant, by the clock of whoever wrote it.

    Raises:
        UsageError: It is none, one that is still to come, or one before there was anything to ask.
    """
    hint = f"It takes {times.EXAMPLES}."
    try:
        since, _ = times.span(text, now)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--since {text!r} is no point in time", hint=hint) from error
    if not EARLIEST <= since.date() <= now.date():
        raise UsageError(f"--since {text!r} is {'still to come' if since > now else 'too long ago'}", hint=hint)
    return since


def fitting(first: date, today: date) -> By:
    """Days for a short time, weeks for a long one."""
    return "day" if (today - first).days < MOST_DAYS else "week"


def start(day: date, by: By) -> date:
    """The first day of the span that a day is in; weeks begin on Monday."""
    return day if by == "day" else day - timedelta(day.weekday())


def starts(first: date, last: date, by: By) -> list[date]:
    """The first day of every span from one day to another, also of those in which nothing happened."""
    begin, length = start(first, by), DAYS["d" if by == "day" else "w"]
    return [begin + timedelta(days) for days in range(0, (last - begin).days + 1, length)]
