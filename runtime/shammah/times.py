"""Points in time, as people write them: "2026-11-20", "2026-11-20 14:00", "yesterday", "7d"; and as they read them."""

import re
from datetime import UTC, datetime, timedelta, tzinfo

Span = tuple[datetime, datetime]
"""From the first moment that a text means to the first one after it."""

EXAMPLES = '"2026-11-20", "2026-11-20 14:00", "yesterday", "7d" or "24h"'
_AGO = re.compile(r"(\d{1,5})\s*(m|h|d|w)", re.ASCII | re.IGNORECASE)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_DAYS = {"today": 0, "yesterday": 1}
_FORMATS = {
    "%Y-%m-%d": timedelta(days=1),
    "%Y-%m-%d %H:%M": timedelta(minutes=1),
    "%Y-%m-%dT%H:%M": timedelta(minutes=1),
    "%Y-%m-%d %H:%M:%S": timedelta(seconds=1),
    "%Y-%m-%dT%H:%M:%S": timedelta(seconds=1),
}


def span(text: str, now: datetime) -> Span:
    """What a text means, by the clock of the one who wrote it; a time ago is a moment, a day is a whole day.

    Args:
        text: As it was typed.
        now: With the time zone of the one who wrote it.

    Raises:
        ValueError: It is no point in time.
    """
    word = text.strip()
    if (found := _AGO.fullmatch(word)) is not None:
        moment = now - int(found[1]) * _UNITS[found[2].lower()]
        return moment, moment
    if word.lower() in _DAYS:
        day = (now - timedelta(days=_DAYS[word.lower()])).date()
        return _between(datetime(day.year, day.month, day.day), timedelta(days=1), now)
    for form, length in _FORMATS.items():
        try:
            return _between(datetime.strptime(word.removesuffix("Z"), form), length, now, word.endswith("Z"))
        except ValueError:
            continue
    raise ValueError(f"{text!r} is no point in time")


def stamp(moment: datetime) -> str:
    """A moment as the journal writes it: UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_second(stamp: str, zone: tzinfo | None = None) -> str:
    """A moment of the journal by the clock on the wall, which is also what `span` reads; of this machine, if no other.

    What is no moment stays what it is.
    """
    try:
        return f"{datetime.fromisoformat(stamp).astimezone(zone):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError):
        return stamp


def to_minute(stamp: str, zone: tzinfo | None = None) -> str:
    """The same for a table."""
    return to_second(stamp, zone)[:16]


def to_day(stamp: str, zone: tzinfo | None = None) -> str:
    """The day on which it was."""
    return to_second(stamp, zone)[:10]


def _between(start: datetime, length: timedelta, now: datetime, is_utc: bool = False) -> Span:
    """A span of the clock on the wall: the day on which clocks change is an hour longer or shorter."""
    zone = UTC if is_utc else now.tzinfo
    return start.replace(tzinfo=zone), (start + length).replace(tzinfo=zone)
