"""Which examples are live after ratings, edits and comparisons, and what the heads hear of it."""

from pathlib import Path

import pytest

from shammah.feedback import Feedback, rate
from shammah.generation import Sampling
from shammah.journal import Journal
from shammah.labelling import Comparison, label
from shammah.learning import Heads
from shammah.policy import Side
from shammah.records.examples import Rating
from tests.rated import LINEAGE, answer, ask, lessons, only
from tests.scripted import Scripted, local_side, teacher_side


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
