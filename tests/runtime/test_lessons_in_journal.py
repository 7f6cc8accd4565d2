"""What a comparison teaches the heads, as the journal keeps it."""

from shammah.divergence import Divergence, Method
from shammah.journal import Journal
from shammah.policy import Side
from tests.kept import LINEAGE, answer, begin


def test_a_comparison_is_one_lesson_for_each_head_and_marks_the_answer(journal: Journal) -> None:
    question = begin(journal)
    local = journal.save(question, [answer(Side.LOCAL)])[0]
    journal.lessons.teach(question, local, Divergence(0.2, Method.SEMANTIC), True)
    for head in ("router", "validator"):
        (lesson,) = journal.lessons.of(head, LINEAGE, 0)
        assert (lesson.question.number, lesson.is_good, lesson.weight) == (question.number, True, 0.5)
        assert journal.lessons.last(head, LINEAGE) == lesson.id
        assert list(journal.lessons.of(head, LINEAGE, lesson.id)) == []
    assert (journal.answer(local.id).divergence, journal.answer(local.id).method) == (0.2, "semantic")


def test_lessons_of_another_base_are_not_ours(journal: Journal) -> None:
    question = begin(journal)
    local = journal.save(question, [answer(Side.LOCAL)])[0]
    journal.lessons.teach(question, local, Divergence(0.2, Method.SEMANTIC), True)
    assert list(journal.lessons.of("router", "another", 0)) == []
    assert journal.lessons.last("router", "another") == 0
