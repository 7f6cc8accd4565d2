"""A clock that somebody sets back, or ten years ahead."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shammah import features
from shammah.journal import Journal
from shammah.naming import rename
from shammah.records.adapters import Adapter, Counts, Judged, Training
from shammah.rows import now
from shammah.schedule import missing
from shammah.settings import TrainerSettings
from shammah.watching import look
from shammah_convert.chat import Message
from tests import clocks
from tests.runtime.test_watching import BASE, V1, ask, judge


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


JUMPS = [
    pytest.param(*jumps, id=f"{jumps[0]:+g} s, {jumps[1]:+g} s")
    for jumps in (
        (0.0, 0.0),
        (-clocks.HOUR, -clocks.HOUR),
        (clocks.HOUR, 0.0),
        (0.0, -clocks.HOUR),
        (10 * clocks.YEAR, 0.0),
        (-10 * clocks.YEAR, -clocks.DAY),
    )
]
"""What the clock shows as something is made active, and afterwards, beside what it showed before."""


def take_up(journal: Journal, name: str) -> None:
    """Promote an adapter that a training made a moment ago."""
    training = journal.trainings.begin(BASE, is_forced=False)
    assert training is not None
    made = Adapter(name, BASE, f"/{name}", "ab" * 32, None, {}, now(), training.number)
    journal.trainings.promote(training, made)


@pytest.mark.parametrize(("then", "afterwards"), JUMPS)
def test_the_watch_counts_the_answers_of_before_and_after_whatever_the_clock_says(
    then: float, afterwards: float, journal: Journal, set_clock: Callable[[float], None]
) -> None:
    judge(journal, (), bad=1, good=29)
    set_clock(then)
    take_up(journal, "v1")
    set_clock(afterwards)
    judge(journal, V1, bad=10, good=10)
    watched = journal.watch.promotion(BASE)
    assert watched is not None
    assert journal.watch.judged(watched)[1] == Judged(Counts(1, 30), Counts(10, 20))
    assert look(journal, BASE)
    assert journal.adapters.active(BASE) == ()
    adapter = journal.adapters.find("v1")
    assert adapter is not None
    assert journal.watch.taken_back(adapter) != ""


@pytest.mark.parametrize(("then", "afterwards"), JUMPS)
def test_a_rollback_goes_to_what_was_active_before_whatever_the_clock_says(
    then: float, afterwards: float, journal: Journal, set_clock: Callable[[float], None]
) -> None:
    take_up(journal, "v1")
    set_clock(then)
    journal.adapters.add(Adapter("v2", BASE, "/v2", "cd" * 32, None, {}, now(), None))
    set_clock(afterwards)
    journal.adapters.activate(BASE, (("v2", 1.0),), "use")
    take_up(journal, "v3")
    assert journal.adapters.roll_back(BASE) == (("v2", 1.0),)
    assert journal.adapters.roll_back(BASE) == V1


@pytest.mark.parametrize(("then", "afterwards"), JUMPS)
def test_one_that_came_under_the_name_of_a_deleted_one_is_another_whatever_the_clock_says(
    then: float, afterwards: float, journal: Journal, set_clock: Callable[[float], None]
) -> None:
    take_up(journal, "v1")
    given = ask(journal, V1)
    take_up(journal, "v2")
    first = journal.adapters.find("v1")
    assert first is not None
    assert journal.adapters.delete(first)
    set_clock(then)
    journal.adapters.add(Adapter("v1", BASE, "/v1", "cd" * 32, None, {}, now(), None))
    set_clock(afterwards)
    second = journal.adapters.find("v1")
    assert second is not None
    rename(journal, second, "rust")
    assert journal.answers(given)[0].adapters == V1
    assert journal.adapters.roll_back(BASE) == (), "what was active then is gone"


@pytest.mark.parametrize(("then", "afterwards"), JUMPS)
def test_questions_and_answers_since_a_swap_are_those_that_came_after_it(
    then: float, afterwards: float, journal: Journal, set_clock: Callable[[float], None]
) -> None:
    before = ask(journal, ())
    set_clock(then)
    take_up(journal, "v1")
    set_clock(afterwards)
    after = ask(journal, V1)
    journal.note_route(after, features.of_question("list files"), None, 0.5)
    assert journal.adapters.questions_since_swap(BASE) == 1
    swaps = [journal.adapters.last_swap(BASE, journal.answers(one)[0].id) for one in (before, after)]
    assert swaps == [0, 2], "the bare base is the first activation"


def test_answers_that_take_the_numbers_of_erased_ones_came_after_the_swap(journal: Journal) -> None:
    judge(journal, (), bad=0, good=3)
    erased = [journal.begin("here", BASE, [Message("user", "forget me")], 0, True) for _ in range(2)]
    take_up(journal, "v1")
    journal.erasing.erase(journal.erasing.doom(one.number for one in (*erased, journal.recent(3)[2])))
    judge(journal, V1, bad=1, good=0)
    watched = journal.watch.promotion(BASE)
    assert watched is not None
    assert journal.watch.judged(watched)[1] == Judged(Counts(0, 2), Counts(1, 1))
