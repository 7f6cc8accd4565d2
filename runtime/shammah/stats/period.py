"""Days and weeks, as people name them and as a time line is cut into them."""

import re
from datetime import date, timedelta
from typing import Literal

from shammah.errors import UsageError

By = Literal["day", "week"]

DAYS = {"d": 1, "w": 7}
MOST_DAYS = 35
"""A longer time is cut into weeks, where nobody says into what."""
EARLIEST = date(2000, 1, 1)
_AGO = re.compile(r"(\d{1,5})([dw])", re.ASCII)
HINT = "It takes a number of days or weeks such as 7d or 4w, or a day such as 2026-11-01."


def read_since(text: str, today: date) -> date:
    """The first day that is meant: 7d is today and the six days before it.

    Raises:
        UsageError: It is no day, one that is still to come, or one before there was anything to ask.
    """
    words = text.strip().lower()
    try:
        ago = _AGO.fullmatch(words)
        since = today - timedelta(int(ago[1]) * DAYS[ago[2]] - 1) if ago else date.fromisoformat(words)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--since is {text!r}", hint=HINT) from error
    if not EARLIEST <= since <= today:
        raise UsageError(
            f"--since is {text!r}, which is {'still to come' if since > today else 'too long ago'}", hint=HINT
        )
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
