"""Where one side fails or may not be asked, the other stands in, or the error says why nobody does."""

from typing import Any

import pytest

from shammah.assistant import Assistant
from shammah.errors import (
    BudgetReached,
    ContextTooLong,
    EngineDied,
    KeyMissing,
    ModelMissing,
    NothingVerified,
    TeacherError,
    UsageError,
)
from shammah.generation import Finish
from shammah.journal import Journal
from shammah.learning import Heads
from shammah.policy import Reason, Side
from shammah.turn import Request
from tests.house import House, count_to, teach
from tests.scripted import Recorder, Scripted, teacher_side


def test_when_the_teacher_fails_the_local_answer_is_given_and_marked(journal: Journal) -> None:
    outcome = House(journal, teacher=Scripted(TeacherError("overloaded"))).ask()
    assert (outcome.text, outcome.answer.reason, outcome.answer.is_verified) == ("ls -la", "teacher_failed", False)
    assert journal.examples.live() == []
    assert journal.jobs.waiting() == [], "an answer that stands in for the teacher's teaches nothing"
    assert not outcome.question.is_counted, "no teacher was available after all"


def test_a_question_that_kills_the_local_model_is_answered_by_the_teacher_and_teaches_nothing(journal: Journal) -> None:
    count_to(journal, 300)
    house = House(journal, Scripted(EngineDied("it died")), Scripted("git reset", model="claude"))
    teach(House(journal), 30, is_good=True)
    outcome = house.ask()
    assert (outcome.text, outcome.answer.side, outcome.answer.reason) == ("git reset", "teacher", "local_failed")
    assert house.screen.discarded == [("", "the local model failed (it died); Claude answers")]
    assert not outcome.question.is_counted
    assert not journal.jobs.waiting()


def test_a_question_that_kills_the_local_model_is_an_error_where_nobody_else_may_answer(journal: Journal) -> None:
    teacher = Scripted("git reset", model="claude")
    house = House(journal, Scripted(EngineDied("it died")), teacher)
    with pytest.raises(EngineDied):
        house.ask(forced=Side.LOCAL)
    with pytest.raises(EngineDied):
        house.ask(is_offline=True)
    assert not teacher.asked


@pytest.mark.parametrize(("is_free", "spent"), [(True, 0.0), (False, 0.01006)])
def test_a_failed_call_costs_its_worst_case_unless_it_was_surely_free(
    journal: Journal, is_free: bool, spent: float
) -> None:
    error = TeacherError("gone")
    error.is_free = is_free
    House(journal, teacher=Scripted(error)).ask()
    # 30 tokens at most for the 14 bytes and their frame at $2, 1,000 at $10 a million
    assert journal.spending.usd_today() == pytest.approx(spent)


def test_when_the_teacher_fails_on_a_question_too_long_to_stand_in_for_that_is_the_error(journal: Journal) -> None:
    house = House(journal, Scripted(context_tokens=3), Scripted(TeacherError("overloaded")))
    with pytest.raises(TeacherError, match="overloaded"):
        house.ask("one two three four")


def test_a_refused_key_degrades_as_well(journal: Journal) -> None:
    assert House(journal, teacher=Scripted(KeyMissing("refused"))).ask().answer.reason == "teacher_failed"


@pytest.mark.parametrize("finish", [Finish.STOP, Finish.REFUSAL, Finish.LENGTH])
def test_an_empty_answer_counts_as_failed(journal: Journal, finish: Finish) -> None:
    assert House(journal, teacher=Scripted("", finish=finish)).ask().answer.reason == "teacher_failed"


@pytest.mark.parametrize("finish", [Finish.REFUSAL, Finish.LENGTH])
def test_a_verified_answer_is_a_whole_one(journal: Journal, finish: Finish) -> None:
    house = House(journal, teacher=Scripted("git res", finish=finish))
    with pytest.raises(NothingVerified):
        house.ask(wants_verified=True)
    assert house.screen.text == ""
    assert [answer.is_shown for answer in journal.answers(journal.recent(1)[0])] == [False]


def test_a_forced_teacher_that_fails_is_an_error(journal: Journal) -> None:
    house = House(journal, teacher=Scripted(TeacherError("overloaded")))
    with pytest.raises(TeacherError, match="overloaded"):
        house.ask(forced=Side.TEACHER)
    assert not house.local.asked
    assert len(journal.recent(5)) == 1, "what was asked stays"


@pytest.mark.parametrize(
    ("request_", "teacher", "usd", "error"),
    [
        ({"forced": Side.TEACHER}, None, 1.0, KeyMissing),
        ({"forced": Side.TEACHER}, Scripted("x"), 0.0, BudgetReached),
        ({"forced": Side.TEACHER, "is_offline": True}, Scripted("x"), 1.0, UsageError),
        ({"wants_verified": True}, None, 1.0, NothingVerified),
        ({"wants_verified": True}, Scripted("x"), 0.0, BudgetReached),
        ({"wants_verified": True, "is_offline": True}, Scripted("x"), 1.0, NothingVerified),
        ({"wants_verified": True}, Scripted(TeacherError("late")), 1.0, NothingVerified),
    ],
)
def test_what_cannot_be_had_is_an_error_that_says_why(
    journal: Journal, request_: dict[str, Any], teacher: Scripted | None, usd: float, error: type[Exception]
) -> None:
    house = House(journal, teacher=teacher, usd=usd)
    with pytest.raises(error):
        house.ask(**request_)
    assert house.screen.text == ""


@pytest.mark.parametrize(
    ("request_", "teacher", "usd", "reason"),
    [
        ({"forced": Side.LOCAL}, Scripted("x"), 1.0, Reason.FORCED),
        ({"is_offline": True}, Scripted("x"), 1.0, Reason.OFFLINE),
        ({}, None, 1.0, Reason.NO_KEY),
        ({}, Scripted("x"), 0.0, Reason.BUDGET),
    ],
)
def test_where_the_teacher_may_not_be_asked_nobody_asks_it(
    journal: Journal, request_: dict[str, Any], teacher: Scripted | None, usd: float, reason: Reason
) -> None:
    outcome = House(journal, teacher=teacher, usd=usd).ask(**request_)
    assert (outcome.answer.side, outcome.answer.reason) == ("local", reason)
    assert not teacher or not teacher.asked
    assert not outcome.question.is_counted
    assert journal.jobs.waiting() == []


def test_a_question_that_is_too_long_is_forwarded_once_the_router_may_choose(journal: Journal) -> None:
    house = House(journal, Scripted(context_tokens=3), Scripted("long answer"))
    count_to(journal, 60)
    assert house.ask("one two three four").answer.reason == "context_too_long"


def test_a_question_that_is_too_long_and_must_stay_is_refused(journal: Journal) -> None:
    with pytest.raises(ContextTooLong):
        House(journal, Scripted(context_tokens=3)).ask("one two three four")


def test_without_a_local_model_the_teacher_answers(journal: Journal) -> None:
    heads = Heads(journal.path.parent, journal, "", "bayes")
    assistant = Assistant(journal, heads, None, teacher_side(Scripted("from claude")))
    outcome = assistant.ask(Request("list files", "session"), Recorder())
    assert (outcome.text, outcome.answer.reason) == ("from claude", "model_not_ready")
    assert journal.jobs.waiting() == [], "there is nobody to compare with"


def test_without_any_side_the_missing_model_is_the_error(journal: Journal) -> None:
    heads = Heads(journal.path.parent, journal, "", "bayes")
    with pytest.raises(ModelMissing):
        Assistant(journal, heads, None, teacher_side(None)).ask(Request("list files", "session"), Recorder())
