"""A time is named as people name it, and cut into days or weeks without a gap."""

from datetime import date

import pytest

from shammah.errors import UsageError
from shammah.stats import period

TODAY = date(2026, 11, 26)


@pytest.mark.parametrize(
    ("text", "first"),
    [("1d", TODAY), ("7d", date(2026, 11, 20)), (" 4W ", date(2026, 10, 30)), ("2026-11-01", date(2026, 11, 1))],
)
def test_since_is_a_number_of_days_with_today_or_a_day(text: str, first: date) -> None:
    assert period.read_since(text, TODAY) == first


@pytest.mark.parametrize(
    "text", ["", "d", "7", "-1d", "7m", "2026-13-01", "99999w", "0001-01-01", "2026-11-27", "0d", "٣d"]
)
def test_what_is_no_day_of_the_past_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(UsageError, match="--since") as refused:
        period.read_since(text, TODAY)
    assert "7d" in refused.value.hint


def test_no_day_and_no_week_is_left_out() -> None:
    days = period.starts(date(2026, 11, 24), TODAY, "day")
    assert days == [date(2026, 11, 24), date(2026, 11, 25), TODAY]
    weeks = period.starts(date(2026, 11, 8), TODAY, "week")  # a Sunday
    assert weeks == [date(2026, 11, 2), date(2026, 11, 9), date(2026, 11, 16), date(2026, 11, 23)]
    assert [period.fitting(first, TODAY) for first in (date(2026, 10, 23), date(2026, 10, 22))] == ["day", "week"]
