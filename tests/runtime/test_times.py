"""Points in time are read as people write them, by their own clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shammah.times import span, stamp, to_day, to_minute, to_second

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


def test_a_stamp_is_shown_by_the_clock_on_the_wall_as_it_is_read() -> None:
    kept, zone = "2026-11-18T23:59:59.123Z", NOW.tzinfo
    assert (to_second(kept, zone), to_minute(kept, zone)) == ("2026-11-19 00:59:59", "2026-11-19 00:59")
    assert to_day(kept, zone) == "2026-11-19"
    assert span(to_second(kept, zone), NOW)[0].astimezone(UTC).isoformat() == "2026-11-18T23:59:59+00:00"


def test_what_is_no_stamp_stays_what_it_is() -> None:
    assert to_second("") == ""
