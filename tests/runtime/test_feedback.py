"""A correction replaces what was learnt, never teaches the rejected answer, and tells the heads."""

from pathlib import Path

import pytest

from shammah.divergence import Divergence, Method
from shammah.errors import UsageError
from shammah.feedback import Feedback, rate
from shammah.journal import Journal
from shammah.policy import Side
from shammah.records.examples import Rating
from shammah_convert.chat import Message
from tests.rated import LINEAGE, answer, ask, lessons, only, shown


@pytest.mark.parametrize(("rating", "weight"), [(Rating.CRITICAL, 10.0), (Rating.MEDIUM, 3.0)])
def test_a_corrected_answer_is_learnt_in_place_of_the_rejected_one(
    journal: Journal, rating: Rating, weight: float
) -> None:
    question = ask(journal)
    new = rate(journal, question, Feedback(rating, "keep my work", "git reset --soft HEAD~1"), has_teacher=False)
    (example,) = journal.examples.live()
    assert example.prompt == question.context
    assert example.completion == (Message("assistant", "git reset --soft HEAD~1"),)
    assert example.rejected == (Message("assistant", "git reset --hard"),)
    assert (example.weight, example.source) == (weight, "user")
    assert not new.wants_target
    assert journal.jobs.waiting() == []


def test_a_good_answer_is_its_own_target(journal: Journal) -> None:
    rate(journal, ask(journal), Feedback(Rating.GOOD), has_teacher=False)
    (example,) = journal.examples.live()
    assert example.completion == (Message("assistant", "git reset --hard"),)
    assert (example.rejected, example.weight) == (None, 1.0)


@pytest.mark.parametrize("rating", [Rating.CRITICAL, Rating.MEDIUM])
def test_a_teachers_answer_that_is_rejected_is_no_target_any_more(journal: Journal, rating: Rating) -> None:
    question = ask(journal, Side.TEACHER)
    assert len(journal.examples.live()) == 1
    rate(journal, question, Feedback(rating), has_teacher=False)
    assert journal.examples.live() == []
    assert only(journal).example.rejected == (Message("assistant", "git reset --hard"),)


def test_the_last_rating_wins_and_an_answer_has_one_example(journal: Journal) -> None:
    question = ask(journal)
    rate(journal, question, Feedback(Rating.CRITICAL, "", "first"), has_teacher=False)
    rate(journal, question, Feedback(Rating.MEDIUM, "", "second"), has_teacher=False)
    assert only(journal).example.completion == (Message("assistant", "second"),)
    rate(journal, question, Feedback(Rating.CRITICAL), has_teacher=False)
    assert only(journal).state == "pending"
    rate(journal, question, Feedback(Rating.GOOD), has_teacher=False)
    assert only(journal).example.completion == (Message("assistant", "git reset --hard"),)


@pytest.mark.parametrize(("note", "has_teacher"), [("keep my work", False), ("", True), ("keep my work", True)])
def test_a_note_or_a_teacher_sets_the_background_to_work(journal: Journal, note: str, has_teacher: bool) -> None:
    question = ask(journal)
    new = rate(journal, question, Feedback(Rating.CRITICAL, note), has_teacher)
    assert new.wants_target
    assert only(journal).state == "pending"
    assert journal.examples.live() == []
    (job,) = journal.jobs.waiting()
    correction = journal.ratings.correction(job.payload["rating"])
    assert correction is not None
    assert (correction.note, correction.rejected.text) == (note, "git reset --hard")


def test_with_nothing_to_go_on_nobody_is_set_to_work(journal: Journal) -> None:
    new = rate(journal, ask(journal), Feedback(Rating.CRITICAL), has_teacher=False)
    assert not new.wants_target
    assert journal.jobs.waiting() == []


def test_a_question_that_stays_here_waits_for_no_teacher(journal: Journal) -> None:
    new = rate(journal, ask(journal, online=False), Feedback(Rating.CRITICAL), has_teacher=True)
    assert not new.wants_target


def test_a_later_rating_takes_the_correction_back(journal: Journal) -> None:
    question = ask(journal)
    rate(journal, question, Feedback(Rating.CRITICAL, "keep my work"), has_teacher=False)
    (job,) = journal.jobs.waiting()
    rate(journal, question, Feedback(Rating.GOOD), has_teacher=False)
    assert journal.ratings.correction(job.payload["rating"]) is None
    assert not journal.examples.fulfil(job.payload["rating"], "late", "teacher")


@pytest.mark.parametrize(("text", "finish"), [("cut off", "length"), ("", "stop"), ("half", "interrupted")])
def test_a_cut_answer_cannot_be_called_good_as_it_is(journal: Journal, text: str, finish: str) -> None:
    question = ask(journal, text=text, finish=finish)
    with pytest.raises(UsageError, match="not whole"):
        rate(journal, question, Feedback(Rating.GOOD), has_teacher=False)
    assert journal.examples.all() == []
    rate(journal, question, Feedback(Rating.GOOD, "", "the whole answer"), has_teacher=False)
    assert only(journal).example.completion == (Message("assistant", "the whole answer"),)


def test_the_rejected_answer_cannot_be_given_as_the_better_one(journal: Journal) -> None:
    question = ask(journal)
    with pytest.raises(UsageError, match="the one that is rejected"):
        rate(journal, question, Feedback(Rating.CRITICAL, "", " git  reset --hard\n"), has_teacher=False)
    assert journal.examples.all() == []


def test_a_question_without_an_answer_cannot_be_rated(journal: Journal) -> None:
    question = journal.begin("here", LINEAGE, [Message("user", "hello")], 0, True)
    with pytest.raises(UsageError, match="no answer"):
        rate(journal, question, Feedback(Rating.GOOD), has_teacher=False)


def test_secrets_in_notes_and_targets_are_not_stored(journal: Journal, tmp_path: Path) -> None:
    secret = "ghp_" + "a1B2" * 9
    rate(journal, ask(journal), Feedback(Rating.CRITICAL, f"my token is {secret}", f"use {secret}"), has_teacher=False)
    assert secret.encode() not in journal.path.read_bytes()


@pytest.mark.parametrize(("rating", "is_good"), [(Rating.CRITICAL, False), (Rating.MEDIUM, False), (Rating.GOOD, True)])
def test_a_rated_local_answer_is_a_lesson_of_weight_1(journal: Journal, rating: Rating, is_good: bool) -> None:
    question = ask(journal)
    rate(journal, question, Feedback(rating), has_teacher=False)
    id = shown(journal, question).id
    assert lessons(journal) == [("router", is_good, 1.0, id), ("validator", is_good, 1.0, id)]


@pytest.mark.parametrize(
    ("rating", "distance", "taught"),
    [
        (Rating.GOOD, 0.1, True),  # the local answer says the same as a good one
        (Rating.GOOD, 0.9, False),  # it differs from a good one
        (Rating.CRITICAL, 0.1, False),  # it says the same as a bad one
        (Rating.CRITICAL, 0.9, None),  # it differs from a bad one: nobody knows
    ],
)
def test_a_rated_teachers_answer_tells_of_the_local_one_that_was_compared(
    journal: Journal, rating: Rating, distance: float, taught: bool | None
) -> None:
    question = ask(journal, Side.TEACHER)
    (local,) = journal.save(question, [answer(Side.LOCAL, "git reset")])
    journal.lessons.teach(question, local, Divergence(distance, Method.SEMANTIC), distance < 0.3)
    rate(journal, question, Feedback(rating), has_teacher=False)
    by_user = [lesson for lesson in lessons(journal) if lesson[2] == 1.0]
    expected = [] if taught is None else [(head, taught, 1.0, local.id) for head in ("router", "validator")]
    assert by_user == expected


def test_a_rated_teachers_answer_without_a_comparison_is_no_lesson(journal: Journal) -> None:
    rate(journal, ask(journal, Side.TEACHER), Feedback(Rating.GOOD), has_teacher=False)
    assert lessons(journal) == []
