"""A clock that somebody sets back, or ten years ahead."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shammah.journal import Journal
from shammah.records.adapters import Training
from shammah.schedule import missing
from shammah.settings import TrainerSettings
from tests import clocks


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path) as journal:
        yield journal


@pytest.fixture
def set_clock() -> Iterator[Callable[[float], None]]:
    """Sets the clock so many seconds ahead of the real one."""
    undo = [lambda: None]

    def shift(seconds: float) -> None:
        undo.pop()()
        undo.append(clocks.shift(seconds))

    yield shift
    undo.pop()()


def is_open(journal: Journal, month_usd: float = 100.0) -> bool:
    """Whether a dollar a day may be spent; it is."""
    return journal.spending.reserve(1.0, 1.0, None, month_usd) is not None


@pytest.mark.parametrize("back", [clocks.HOUR * 23.99, clocks.DAY, 40 * clocks.DAY, 10 * clocks.YEAR])
def test_a_budget_that_is_used_up_stays_so_when_the_clock_is_set_back(
    back: float, journal: Journal, set_clock: Callable[[float], None]
) -> None:
    assert is_open(journal)
    set_clock(-back)
    assert not is_open(journal)
    set_clock(0)
    assert not is_open(journal), "and when it is set right again"


def test_a_month_that_is_used_up_stays_so_when_the_clock_is_set_back(
    journal: Journal, set_clock: Callable[[float], None]
) -> None:
    assert is_open(journal, month_usd=1.0)
    set_clock(-40 * clocks.DAY)
    assert journal.spending.passed(1.0, 100.0, 1.0) == "month"
    assert journal.spending.usd_this_month() == 1.0


def test_a_clock_that_was_ten_years_ahead_shuts_a_budget_for_a_day(
    journal: Journal, set_clock: Callable[[float], None]
) -> None:
    set_clock(10 * clocks.YEAR)
    assert is_open(journal)
    set_clock(0)
    assert not is_open(journal)
    set_clock(clocks.DAY)
    assert is_open(journal)


@pytest.mark.parametrize("ahead", [clocks.HOUR, clocks.DAY, 10 * clocks.YEAR])
def test_a_job_that_was_put_off_by_a_wrong_clock_is_due(
    ahead: float, journal: Journal, set_clock: Callable[[float], None]
) -> None:
    journal.jobs.enqueue("x", {})
    set_clock(ahead)
    job = journal.jobs.take(600)
    assert job is not None
    journal.jobs.put_back(job, "not now", 600)
    assert not journal.jobs.waiting()
    set_clock(0)
    assert journal.jobs.waiting()
    assert journal.jobs.take(600) is not None


def test_a_pull_that_was_put_off_by_a_wrong_clock_is_due(journal: Journal, set_clock: Callable[[float], None]) -> None:
    pull = journal.pulls.want("x", "X", 1)
    set_clock(10 * clocks.YEAR)
    journal.pulls.postpone(pull, "not now", 300)
    assert journal.pulls.due() is None
    set_clock(0)
    assert journal.pulls.due() is not None


@pytest.mark.parametrize(("hours_ago", "is_tried_again"), [(1, False), (25, True), (-24 * 3653, True)])
def test_a_training_that_failed_in_a_year_to_come_is_tried_again(hours_ago: int, is_tried_again: bool) -> None:
    at = (datetime.now(UTC) - timedelta(hours=hours_ago)).isoformat()
    failed = Training(1, at, at, "base", "failed", True, False, None, "", 0)
    assert (missing(0, 1, failed, TrainerSettings()) == 0) is is_tried_again


def test_what_was_called_right_after_it_was_rejected_is_right_whatever_the_clock_said(journal: Journal) -> None:
    said = '[{"role": "assistant", "content": "ls"}]'
    db = journal._db._connection
    db.execute("PRAGMA foreign_keys = OFF")
    for id, rejected, created in (("rejects", said, "2036"), ("accepts", None, "2026")):
        db.execute(
            "INSERT INTO examples (id, prompt, completion, rejected, weight, source, state, created, rating)"
            " VALUES (?, '[]', ?, ?, 1, 'user', 'live', ?, 1)",
            (id, said if rejected is None else "[]", rejected, created),
        )
    assert "accepts" in [example.id for example in journal.examples.live()]
    assert [kept.example.id for kept in journal.examples.all()] == ["rejects", "accepts"]
