"""Questions and answers are kept as they were, all or nothing, and found again."""

import numpy as np
import pytest

from shammah.errors import JournalError
from shammah.journal import Journal
from shammah.policy import Side
from shammah.records.questions import NewAnswer
from shammah_convert.chat import Message
from tests.kept import LINEAGE, answer, ask, begin

# Questions and answers.


def test_a_question_is_there_for_others_before_anyone_works_on_it(journal: Journal) -> None:
    question = begin(journal)
    with Journal(journal.path.parent) as other:
        assert other.question_at(question.number) == question
        assert other.answers(question) == []


def test_a_question_is_kept_with_its_whole_conversation(journal: Journal) -> None:
    question = begin(journal, "Wo ist „das“? \u2028 \U0001f642")
    assert question.context == (Message("system", "Be short."), Message("user", "Wo ist „das“? \u2028 \U0001f642"))
    assert question.text == question.context[-1].content


def test_an_answer_is_read_as_it_was_saved(journal: Journal) -> None:
    new = answer(Side.LOCAL)
    saved = journal.save(begin(journal), [new])[0]
    for name in set(NewAnswer.__slots__) - {"features"}:
        assert getattr(saved, name) == getattr(new, name), name
    np.testing.assert_array_equal(saved.features, new.features)


def test_what_the_router_saw_is_kept_exactly_and_the_question_counts(journal: Journal) -> None:
    hand = np.array([0.1, -4.0], dtype=np.float32)
    embedding = np.linspace(-1, 1, 384, dtype=np.float32)
    question = journal.note_route(begin(journal), hand, embedding, 0.25)
    np.testing.assert_array_equal(question.features, hand)
    np.testing.assert_array_equal(question.embedding, embedding)
    assert (question.router_probability, question.is_counted, journal.count(LINEAGE)) == (0.25, True, 1)


def test_questions_that_were_not_routed_or_are_of_another_base_do_not_count(journal: Journal) -> None:
    begin(journal)
    journal.note_route(begin(journal), np.zeros(1, dtype=np.float32), None, 0.5)
    assert (journal.count(LINEAGE), journal.count("another")) == (1, 0)


def test_an_embedding_can_be_noted_later(journal: Journal) -> None:
    embedding = np.ones(384, dtype=np.float32)
    question = journal.note_route(begin(journal), np.zeros(1, dtype=np.float32), None, 0.5)
    np.testing.assert_array_equal(journal.note_embedding(question, embedding).embedding, embedding)


def test_the_shown_answer_is_the_one_that_the_user_saw(journal: Journal) -> None:
    question = begin(journal)
    journal.save(question, [answer(Side.LOCAL, "draft", is_shown=False), answer(text="final")])
    shown = journal.shown(question)
    assert shown
    assert shown.text == "final"


def test_a_failing_job_leaves_no_answer_and_no_example(journal: Journal) -> None:
    question = begin(journal)
    with pytest.raises(TypeError):
        journal.save(question, [answer()], job=("label", {"cannot": object()}), propensity=0.5, is_sampled=True)
    assert journal.answers(question) == []
    assert journal.examples.live() == []
    assert journal.question_at(question.number) == question


def test_a_failing_second_answer_leaves_no_first(journal: Journal) -> None:
    question = begin(journal)
    broken = answer(text=None)  # type: ignore[arg-type]
    with pytest.raises(JournalError):
        journal.save(question, [answer(), broken])
    assert journal.answers(question) == []


def test_an_answer_comes_with_its_job_and_propensity(journal: Journal) -> None:
    question = begin(journal)
    journal.save(question, [answer()], ("label", {"question": question.number}), 0.2, True)
    kept = journal.question_at(question.number)
    assert (kept.propensity, kept.is_sampled) == (0.2, True)
    assert [(job.kind, job.payload) for job in journal.jobs.waiting()] == [("label", {"question": question.number})]


def test_a_later_save_keeps_the_first_propensity(journal: Journal) -> None:
    question = begin(journal)
    journal.save(question, [answer()], None, 0.2, True)
    journal.save(question, [answer(Side.LOCAL, is_shown=False)])
    kept = journal.question_at(question.number)
    assert (kept.propensity, kept.is_sampled) == (0.2, True)


# Finding.


def test_a_question_is_found_by_the_whole_and_by_a_beginning_of_its_id(journal: Journal) -> None:
    question = begin(journal)
    assert journal.question(question.id) == question
    assert journal.question(question.id[:4]) == question


def test_a_beginning_that_fits_two_or_none_finds_nothing(journal: Journal) -> None:
    ids = [begin(journal).id for _ in range(17)]  # of 16 first digits one comes twice
    first = next(id[0] for id in ids if sum(other[0] == id[0] for other in ids) > 1)
    assert journal.question(first) is None
    assert journal.question("") is None
    assert journal.question("%") is None
    assert journal.question(ids[0] + "0") is None


def test_the_last_question_is_the_sessions_own(journal: Journal) -> None:
    mine = ask(journal, "mine", session="here")
    ask(journal, "theirs", session="there")
    found = journal.last_question("here")
    assert found
    assert found.id == mine.id


def test_a_new_session_gets_the_last_question_of_all(journal: Journal) -> None:
    ask(journal, "older", session="here")
    newest = ask(journal, "newest", session="there")
    found = journal.last_question("a third")
    assert found
    assert found.id == newest.id


def test_a_question_without_an_answer_is_not_the_last(journal: Journal) -> None:
    answered = ask(journal, "answered")
    begin(journal, "waiting")
    found = journal.last_question("here")
    assert found
    assert found.id == answered.id


def test_an_empty_journal_has_no_last_question(journal: Journal) -> None:
    assert journal.last_question("here") is None


def test_recent_questions_come_newest_first(journal: Journal) -> None:
    for text in ("a", "b", "c"):
        ask(journal, text)
    assert [question.text for question in journal.recent(2)] == ["c", "b"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["git"], ["Undo in git?", "And what about GIT tags?"]),
        (["git", "undo"], ["Undo in git?"]),
        (["revert"], ["Undo in git?"]),  # it stands in the answer
        (["100%"], ["Is 100% right?"]),
        (["%"], ["Is 100% right?"]),
        (["_"], ["What does max_size do?"]),
        (["\\"], ["What is \\n?"]),
        (["absent"], []),
    ],
)
def test_search_wants_every_word_and_takes_each_letter_as_itself(
    journal: Journal, words: list[str], found: list[str]
) -> None:
    for text in ("And what about GIT tags?", "Is 100% right?", "What does max_size do?", "What is \\n?"):
        ask(journal, text)
    ask(journal, "Undo in git?", said="git revert HEAD")
    assert [question.text for question in journal.recent(10, words)] == found
