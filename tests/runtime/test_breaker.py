"""When the teacher is left alone: decisions by the clock, and rows that short-lived processes share."""

from dataclasses import replace
from pathlib import Path

import pytest

from shammah.breaker import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, MOST_FAILURES, TRIAL_SECONDS, Outage
from shammah.errors import TeacherError, TeacherPaused
from shammah.journal import Journal
from tests.scripted import Scripted, teacher_side

NOW = 1_000_000.0


def after(failures: int) -> Outage:
    outage = Outage()
    for _ in range(failures):
        outage = outage.after_failure(NOW)
    return outage


@pytest.mark.parametrize(
    ("failures", "pause"),
    [(0, 0), (1, 0), (2, 0), (3, FIRST_PAUSE_SECONDS), (4, 2 * FIRST_PAUSE_SECONDS), (99, LONGEST_PAUSE_SECONDS)],
)
def test_each_failure_after_the_third_lengthens_the_pause(failures: int, pause: float) -> None:
    outage = after(failures)
    assert outage.is_pausing(NOW) == bool(pause)
    assert max(0.0, outage.until - NOW) == pause


def test_a_clock_that_was_set_back_keeps_nobody_waiting() -> None:
    assert not after(3).is_pausing(NOW - 3600)


def test_a_trial_keeps_the_others_from_trying_too() -> None:
    tried = after(3).on_trial(NOW + LONGEST_PAUSE_SECONDS)
    assert tried.is_pausing(NOW + LONGEST_PAUSE_SECONDS + TRIAL_SECONDS - 1)


def test_it_is_told_since_when_and_until_when() -> None:
    assert "Claude was out of reach 3 times in a row since " in after(3).in_words("Claude")
    assert "not asked until" in after(3).in_words("Claude")
    assert after(1).in_words("Claude").startswith("Claude was out of reach 1 time in a row")
    assert "until" not in after(1).in_words("Claude")


def test_another_process_knows_of_it_and_another_teacher_is_asked(tmp_path: Path) -> None:
    with Journal(tmp_path) as one, Journal(tmp_path) as other:
        for _ in range(MOST_FAILURES):
            one.outages.note("claude", True, NOW)
        assert other.outages.enter("claude", NOW) == after(MOST_FAILURES)
        assert other.outages.enter("another", NOW) is None
        other.outages.note("claude", False, NOW)
        assert one.outages.enter("claude", NOW) is None


def away() -> TeacherError:
    error = TeacherError("gone")
    error.is_away = True
    return error


def test_a_teacher_that_was_out_of_reach_is_not_asked_again_unless_somebody_insists(tmp_path: Path) -> None:
    teacher = Scripted(away(), model="claude")
    side = teacher_side(teacher, max_usd_per_day=1000.0)
    with Journal(tmp_path) as journal:
        for _ in range(MOST_FAILURES):
            with pytest.raises(TeacherError, match="gone"):
                side.complete(journal, None, print)
        with pytest.raises(TeacherPaused, match="is not asked until"):
            side.complete(journal, None, print)
        assert len(teacher.asked) == MOST_FAILURES
        teacher.reply = "here again"
        assert replace(side, heeds_outage=False).complete(journal, None, print).text == "here again"
        assert side.complete(journal, None, print).text == "here again", "whoever insisted has found it"


def test_a_teacher_that_says_no_is_there(tmp_path: Path) -> None:
    side = teacher_side(Scripted(TeacherError("400: no"), model="claude"), max_usd_per_day=1000.0)
    with Journal(tmp_path) as journal:
        for _ in range(2 * MOST_FAILURES):
            with pytest.raises(TeacherError, match="400"):
                side.complete(journal, None, print)
