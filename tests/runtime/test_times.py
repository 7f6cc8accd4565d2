"""Points in time are read as people write them, by their own clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shammah.times import span, stamp

# An ordinary afternoon in Berlin, an hour ahead of UTC.
NOW = datetime(2026, 11, 20, 15, 30, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("2026-11-18", "2026-11-17T23:00:00.000Z", "2026-11-18T23:00:00.000Z"),
        ("2026-11-18 14:00", "2026-11-18T13:00:00.000Z", "2026-11-18T13:01:00.000Z"),
        ("2026-11-18T14:00:05", "2026-11-18T13:00:05.000Z", "2026-11-18T13:00:06.000Z"),
        ("2026-11-18T14:00:05Z", "2026-11-18T14:00:05.000Z", "2026-11-18T14:00:06.000Z"),
        ("today", "2026-11-19T23:00:00.000Z", "2026-11-20T23:00:00.000Z"),
        ("Yesterday", "2026-11-18T23:00:00.000Z", "2026-11-19T23:00:00.000Z"),
        ("2h", "2026-11-20T12:30:00.000Z", "2026-11-20T12:30:00.000Z"),
        (" 7 d ", "2026-11-13T14:30:00.000Z", "2026-11-13T14:30:00.000Z"),
        ("1w", "2026-11-13T14:30:00.000Z", "2026-11-13T14:30:00.000Z"),
    ],
)
def test_a_text_is_the_span_that_it_names(text: str, first: str, after: str) -> None:
    assert tuple(map(stamp, span(text, NOW))) == (first, after)


def test_a_day_on_which_clocks_change_is_an_hour_longer() -> None:
    first, after = (moment.astimezone(UTC) for moment in span("2026-10-25", NOW))
    assert after - first == timedelta(hours=25)


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "2026-11", "-7d", "7y", "\u0667d", "99999999d"])
def test_what_is_no_point_in_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no point in time"):
        span(text, NOW)
