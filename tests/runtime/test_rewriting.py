"""A rejected answer gets a better one: the teacher's, else the local model's own with the note before it."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shammah.divergence import Embed
from shammah.errors import BudgetReached, TeacherError
from shammah.feedback import Feedback, rate
from shammah.generation import Finish, Sampling
from shammah.journal import Journal
from shammah.policy import Side
from shammah.records.examples import Correction, Rating
from shammah.rewriting import TargetFinder
from shammah_convert.chat import Message
from tests.rated import ask, only
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


def angle(cosine: float) -> Embed:
    """An embedder that finds the first text that far from all others."""
    first: list[str] = []

    def embed(text: str) -> NDArray[np.float32]:
        first.append(text)
        other = [cosine, math.sqrt(1 - cosine**2)]
        return np.array([1.0, 0.0] if text == first[0] else other, dtype=np.float32)

    return embed


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
    (notice,) = journal.notices.take()
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
    assert journal.ratings.correction(correction.id) is not None


def test_a_rating_that_came_meanwhile_wins(journal: Journal) -> None:
    correction = rejected(journal)
    rate(journal, correction.question, Feedback(Rating.GOOD), has_teacher=False)
    finder(journal, Scripted(), Scripted("late")).find(correction)
    assert only(journal).example.completion == (Message("assistant", "git reset --hard"),)


def test_a_teacher_that_says_the_rejected_answer_again_gives_no_target(journal: Journal) -> None:
    correction = rejected(journal)
    local = Scripted("git reset --soft HEAD~1")
    assert finder(journal, local, Scripted("git reset  --hard")).find(correction) == "self"
    (example,) = journal.examples.live()
    assert example.completion == (Message("assistant", "git reset --soft HEAD~1"),)


@pytest.mark.parametrize(("cosine", "source"), [(0.95, None), (0.85, "self")])
def test_a_self_rewrite_that_means_nearly_the_same_is_no_better(
    journal: Journal, cosine: float, source: str | None
) -> None:
    one = replace(finder(journal, Scripted("reset it hard"), None), embed=angle(cosine))
    assert one.find(rejected(journal)) == source


def test_at_the_last_try_the_local_model_stands_in_for_a_failing_teacher(journal: Journal) -> None:
    correction = rejected(journal)
    one = replace(finder(journal, Scripted("git reset --soft"), Scripted(TeacherError("down"))), is_last=True)
    assert one.find(correction) == "self"


def test_without_a_note_a_used_up_budget_is_waited_for(journal: Journal) -> None:
    correction = rejected(journal, note="")
    with pytest.raises(BudgetReached):
        finder(journal, Scripted(), Scripted("x"), budget=0.0).find(correction)


def test_nothing_is_said_of_a_correction_that_was_taken_back(journal: Journal) -> None:
    correction = rejected(journal, note="")
    rate(journal, correction.question, Feedback(Rating.GOOD), has_teacher=False)
    assert finder(journal, Scripted(), None).find(correction) is None
    assert journal.notices.take() == []
