"""A correction replaces what was learnt, never teaches the rejected answer, and tells the heads."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from shammah.divergence import Divergence, Method
from shammah.errors import UsageError
from shammah.feedback import Feedback, rate
from shammah.generation import Sampling
from shammah.journal import Journal
from shammah.labelling import Comparison, label
from shammah.learning import Heads
from shammah.policy import Reason, Side
from shammah.records.examples import KeptExample, Rating
from shammah.records.questions import Answer, NewAnswer, Question
from shammah_convert.chat import Message
from tests.scripted import Scripted, local_side, teacher_side

LINEAGE = "base"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "home") as journal:
        yield journal


def ask(
    journal: Journal, side: Side = Side.LOCAL, text: str = "git reset --hard", finish: str = "stop", online: bool = True
) -> Question:
    context = [Message("system", "Be short."), Message("user", "undo my last commit")]
    question = journal.begin("here", LINEAGE, context, 0, online)
    journal.save(question, [answer(side, text, finish, is_shown=True)])
    return question


def answer(side: Side, text: str, finish: str = "stop", is_shown: bool = False) -> NewAnswer:
    return NewAnswer(
        side=side,
        is_shown=is_shown,
        text=text,
        reason=Reason.COLD_START,
        finish=finish,
        model="m",
        adapters=(),
        is_verified=False,
        prompt_tokens=1,
        completion_tokens=1,
        seconds={},
        features=np.zeros(1, dtype=np.float32),
        feature_version=1,
    )


def only(journal: Journal) -> KeptExample:
    (kept,) = journal.examples.all()
    return kept


def lessons(journal: Journal) -> list[tuple[str, bool, float, int | None]]:
    return [
        (head, lesson.is_good, lesson.weight, lesson.answer.id if lesson.answer else None)
        for head in ("router", "validator")
        for lesson in journal.lessons.of(head, LINEAGE, 0)
    ]


def shown(journal: Journal, question: Question) -> Answer:
    found = journal.shown(question)
    assert found is not None
    return found


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


# Lessons.


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


# What is live.


def test_the_newest_examples_of_each_kind_are_live(journal: Journal) -> None:
    for number in range(4):
        rate(journal, ask(journal), Feedback(Rating.CRITICAL, "", f"correction {number}"), has_teacher=False)
        ask(journal, Side.TEACHER, f"lecture {number}")
    live = [example.completion[0].content for example in journal.examples.live(feedback_limit=2, teacher_limit=1)]
    assert live == ["correction 2", "correction 3", "lecture 3"]


def test_a_users_word_overrules_the_teachers_answer_to_the_same_question(journal: Journal) -> None:
    question = ask(journal)
    journal.save(question, [answer(Side.TEACHER, "git revert HEAD")])
    rate(journal, question, Feedback(Rating.CRITICAL), has_teacher=False)
    assert [e.completion[0].content for e in journal.examples.live()] == ["git revert HEAD"], (
        "no target of the user yet"
    )
    rate(journal, question, Feedback(Rating.CRITICAL, "", "git reset --soft HEAD~1"), has_teacher=False)
    assert [e.completion[0].content for e in journal.examples.live()] == ["git reset --soft HEAD~1"]


def test_an_example_can_be_edited_and_dropped(journal: Journal) -> None:
    rate(journal, ask(journal), Feedback(Rating.CRITICAL), has_teacher=False)
    id = only(journal).example.id
    assert journal.examples.edit(id, "better", 5.0)
    (example,) = journal.examples.live()
    assert (example.completion[0].content, example.weight) == ("better", 5.0)
    assert journal.examples.drop(id)
    assert journal.examples.live() == []
    assert not journal.examples.drop("none")


def test_an_example_keeps_its_source_when_only_its_weight_changes(journal: Journal) -> None:
    ask(journal, Side.TEACHER)
    id = only(journal).example.id
    assert journal.examples.weigh(id, 7.0)
    assert (only(journal).example.weight, only(journal).example.source) == (7.0, "teacher")
    journal.examples.drop(id)
    assert not journal.examples.weigh(id, 1.0)
    assert not journal.examples.edit(id, "x", 1.0)
    assert only(journal).state == "dropped"


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_rejected_answer_is_not_learnt_from_the_teacher_either(journal: Journal, order: str) -> None:
    question = ask(journal)
    same = answer(Side.TEACHER, "git  reset --hard")
    if order == "before":
        journal.save(question, [same])
    rate(journal, question, Feedback(Rating.CRITICAL), has_teacher=False)
    if order == "after":
        journal.save(question, [same])
    assert journal.examples.live() == []


def test_an_answer_that_was_rejected_once_and_called_good_later_is_learnt(journal: Journal) -> None:
    rate(journal, ask(journal), Feedback(Rating.CRITICAL), has_teacher=False)
    rate(journal, ask(journal), Feedback(Rating.GOOD), has_teacher=False)
    assert len(journal.examples.live()) == 1
    rate(journal, ask(journal), Feedback(Rating.CRITICAL), has_teacher=False)
    assert journal.examples.live() == []


def test_a_rating_of_a_question_that_took_no_part_in_routing_reaches_the_heads(
    journal: Journal, tmp_path: Path
) -> None:
    question = ask(journal, online=False)
    assert question.features is None
    rate(journal, question, Feedback(Rating.CRITICAL), has_teacher=False)
    assert Heads(tmp_path, journal, LINEAGE, "bayes").open("router").lessons == 1
    assert journal.count(LINEAGE) == 0, "it still does not count"


def test_the_same_rating_twice_is_one_lesson_and_another_one_is_its_own(journal: Journal) -> None:
    question = ask(journal)
    for rating in (Rating.GOOD, Rating.GOOD, Rating.CRITICAL, Rating.MEDIUM):
        rate(journal, question, Feedback(rating), has_teacher=False)
    assert [lesson[1] for lesson in lessons(journal) if lesson[0] == "router"] == [True, False]


@pytest.mark.parametrize(
    ("rating", "local", "taught"),
    [
        (Rating.CRITICAL, "git reset --hard", [False]),
        (Rating.CRITICAL, "quite another thing", []),
        (Rating.GOOD, "git reset --hard", [True]),
    ],
)
def test_a_comparison_that_comes_after_the_rating_teaches_what_the_user_said(
    journal: Journal, tmp_path: Path, rating: Rating, local: str, taught: list[bool]
) -> None:
    question = ask(journal, Side.TEACHER)
    rate(journal, question, Feedback(rating), has_teacher=False)
    heads = Heads(tmp_path, journal, LINEAGE, "bayes")
    comparison = Comparison(journal, heads, local_side(Scripted(local)), teacher_side(Scripted()), None, Sampling(10))
    label(comparison, question)
    found = [(lesson.is_good, lesson.weight) for lesson in journal.lessons.of("router", LINEAGE, 0)]
    assert found == [(is_good, 1.0) for is_good in taught]
