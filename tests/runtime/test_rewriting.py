"""A rejected answer gets a better one: the teacher's, else the local model's own with the note before it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shammah.errors import TeacherError
from shammah.feedback import Feedback, rate
from shammah.generation import Finish, Sampling
from shammah.journal import Journal
from shammah.policy import Side
from shammah.records import Correction, Rating
from shammah.rewriting import TargetFinder
from shammah_convert.chat import Message
from tests.runtime.test_feedback import ask, only
from tests.scripted import Scripted, local_side, teacher_side


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "home") as journal:
        yield journal


def rejected(journal: Journal, note: str = "keep my work", side: Side = Side.LOCAL) -> Correction:
    rate(journal, ask(journal, side), Feedback(Rating.CRITICAL, note), has_teacher=True)
    (job,) = journal.jobs.waiting()
    correction = journal.ratings.correction(job.payload["rating"])
    assert correction is not None
    return correction


def finder(
    journal: Journal, local: Scripted, teacher: Scripted | None, budget: float = 1.0, is_online: bool = True
) -> TargetFinder:
    side = teacher_side(teacher, budget) if is_online else None
    return TargetFinder(journal, local_side(local), side, None, Sampling(100))


def test_the_teacher_rewrites_with_the_conversation_the_answer_and_the_note(journal: Journal) -> None:
    correction = rejected(journal)
    teacher = Scripted("git reset --soft HEAD~1")
    assert finder(journal, Scripted(), teacher).find(correction) == "teacher"
    (asked,) = teacher.asked
    assert tuple(asked[:2]) == correction.question.context
    assert asked[2] == Message("assistant", "git reset --hard")
    assert "keep my work" in asked[3].content
    (example,) = journal.examples.live()
    assert example.prompt == correction.question.context
    assert example.completion == (Message("assistant", "git reset --soft HEAD~1"),)
    assert example.rejected == (Message("assistant", "git reset --hard"),)
    assert (example.weight, example.source) == (10.0, "teacher")
    assert journal.spending.usd_today() == pytest.approx(0.001), "the call is settled"


@pytest.mark.parametrize(("teacher", "budget"), [(None, 1.0), (Scripted("x"), 0.0)])
def test_without_key_or_budget_the_local_model_answers_with_the_note(
    journal: Journal, teacher: Scripted | None, budget: float
) -> None:
    correction = rejected(journal)
    local = Scripted("git reset --soft HEAD~1")
    assert finder(journal, local, teacher, budget).find(correction) == "self"
    (asked,) = local.asked
    assert asked == [Message("system", "Be short."), Message("user", "undo my last commit\n\nkeep my work")]
    (example,) = journal.examples.live()
    assert example.prompt == correction.question.context, "the note is no part of what is learnt"
    assert example.source == "self"


def test_offline_no_teacher_is_asked(journal: Journal) -> None:
    teacher = Scripted("x")
    assert finder(journal, Scripted("git reset --soft"), teacher, is_online=False).find(rejected(journal)) == "self"
    assert teacher.asked == []


@pytest.mark.parametrize(
    "local",
    [
        Scripted("git reset  --hard"),
        Scripted(""),
        Scripted("git reset --soft", finish=Finish.LENGTH),
        Scripted("x", context_tokens=1),
    ],
)
def test_a_self_rewrite_that_is_no_better_stays_pending_and_says_so(journal: Journal, local: Scripted) -> None:
    correction = rejected(journal)
    assert finder(journal, local, None).find(correction) is None
    assert only(journal).state == "pending"
    (notice,) = journal.take_notices()
    assert "--answer" in notice
    assert correction.question.id in notice


def test_without_a_note_the_local_model_is_not_asked(journal: Journal) -> None:
    local = Scripted("something else")
    assert finder(journal, local, None).find(rejected(journal, note="")) is None
    assert local.asked == []


@pytest.mark.parametrize("reply", ["", "half an answer"])
def test_a_teachers_rewrite_that_is_cut_is_no_target(journal: Journal, reply: str) -> None:
    correction = rejected(journal)
    teacher = Scripted(reply, finish=Finish.LENGTH)
    assert finder(journal, Scripted("git reset --soft"), teacher).find(correction) == "self"


def test_a_teacher_that_fails_can_be_asked_again(journal: Journal) -> None:
    correction = rejected(journal)
    with pytest.raises(TeacherError):
        finder(journal, Scripted(), Scripted(TeacherError("down"))).find(correction)
    assert journal.ratings.correction(correction.rating) is not None


def test_a_rating_that_came_meanwhile_wins(journal: Journal) -> None:
    correction = rejected(journal)
    rate(journal, correction.question, Feedback(Rating.GOOD), has_teacher=False)
    finder(journal, Scripted(), Scripted("late")).find(correction)
    assert only(journal).example.completion == (Message("assistant", "git reset --hard"),)
