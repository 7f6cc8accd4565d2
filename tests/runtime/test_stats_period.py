"""A time is named as people name it, and cut into days or weeks without a gap."""

from datetime import UTC, date, datetime, timedelta

import pytest

from shammah.errors import UsageError
from shammah.stats import period

TODAY = date(2026, 11, 26)
NOW = datetime(2026, 11, 26, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("24h", NOW - timedelta(hours=24)),
        ("7d", NOW - timedelta(days=7)),
        ("yesterday", datetime(2026, 11, 25, tzinfo=UTC)),
        ("2026-11-01 14:00", datetime(2026, 11, 1, 14, tzinfo=UTC)),
    ],
)
def test_since_is_what_it_is_for_the_log(text: str, first: datetime) -> None:
    assert period.read_since(text, NOW) == first


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "no point in time"), ("7", "no point in time"), ("0001-01-01", "too long ago"), ("2026-11-27", "to come")],
)
def test_what_is_no_time_of_the_past_is_refused_with_a_hint(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=f"--since .* is .*{why}") as refused:
        period.read_since(text, NOW)
    assert "7d" in refused.value.hint


def test_no_day_and_no_week_is_left_out() -> None:
    days = period.starts(date(2026, 11, 24), TODAY, "day")
    assert days == [date(2026, 11, 24), date(2026, 11, 25), TODAY]
    weeks = period.starts(date(2026, 11, 8), TODAY, "week")  # a Sunday
    assert weeks == [date(2026, 11, 2), date(2026, 11, 9), date(2026, 11, 16), date(2026, 11, 23)]
    assert [period.fitting(first, TODAY) for first in (date(2026, 10, 23), date(2026, 10, 22))] == ["day", "week"]
