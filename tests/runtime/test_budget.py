"""Before each call to the teacher its worst case fits into the day's budget and into the month's, or none is made."""

import contextlib
import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shammah.errors import BudgetReached, TeacherError
from shammah.journal import Journal
from shammah.records.questions import Question
from shammah.sides import TeacherSide
from shammah_convert.chat import Message
from tests.scripted import Scripted, teacher_side


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "home") as journal:
        yield journal


def question(journal: Journal) -> Question:
    return journal.begin("here", "base", [Message("user", "Why?")], 0, True)


def ask(journal: Journal, teacher: TeacherSide) -> None:
    teacher.complete(journal, question(journal), lambda _: None)


@pytest.mark.parametrize(
    ("day", "month", "setting", "wait"),
    [
        (0.0, 9.0, "teacher.max_usd_per_day", "tomorrow"),
        (9.0, 0.0, "teacher.max_usd_per_month", "the first of the month"),
    ],
)
def test_the_budget_that_is_too_small_is_named_with_its_setting(
    day: float, month: float, setting: str, wait: str, journal: Journal
) -> None:
    generator = Scripted("x")
    teacher = replace(teacher_side(generator, day), max_usd_per_month=month)
    with pytest.raises(BudgetReached) as caught:
        ask(journal, teacher)
    assert f"`{setting}`" in caught.value.hint
    assert wait in caught.value.hint
    assert generator.asked == []


def test_calls_are_made_until_the_months_budget_covers_no_other(journal: Journal) -> None:
    teacher = teacher_side(Scripted("x"))
    worst = teacher.worst_cost_usd(question(journal).context)
    teacher = replace(teacher, max_usd_per_month=1.5 * worst)
    assert teacher.passed(journal, question(journal).context) is None
    ask(journal, teacher)  # settled at 0.001, as the script says
    assert journal.spending.usd_this_month() == pytest.approx(0.001)
    teacher = replace(teacher, max_usd_per_month=worst)
    assert teacher.passed(journal, question(journal).context) == "month"


def keep_asking(home: Path, usd: float) -> None:
    """A process that asks a teacher whose calls fail, and may have cost their worst case."""
    with Journal(home) as journal:
        for _ in range(3):
            with contextlib.suppress(BudgetReached, TeacherError):
                ask(journal, teacher_side(Scripted(TeacherError("it is late")), usd))


def test_processes_that_ask_at_once_never_overrun_the_budget_together(journal: Journal) -> None:
    worst = teacher_side(Scripted()).worst_cost_usd(question(journal).context)
    spawning = multiprocessing.get_context("spawn")
    children = [spawning.Process(target=keep_asking, args=(journal.path.parent, 3.5 * worst)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0] * 4
    assert journal.spending.usd_today() == pytest.approx(3 * worst), "as many calls as fit, and not one more"
