"""The heads are a view of the journal: whatever happens to their files, the same lessons give the same weights."""

import time
from pathlib import Path

import numpy as np
import pytest

from shammah import features
from shammah.features import ANSWER_FEATURES, QUESTION_FEATURES
from shammah.heads import ROUTER, VALIDATOR, Head
from shammah.journal import Journal
from shammah.learning import Heads
from shammah.records.adapters import Adapter
from shammah.records.questions import Question
from shammah.sight import HeadName, seen_by_router, seen_by_validator
from shammah_convert.chat import Message
from tests.learnt import LINEAGE, NAMES, assert_same, file, heads, relearnt, teach


@pytest.mark.parametrize("name", NAMES)
def test_an_opened_head_has_taken_in_every_lesson_in_order(journal: Journal, name: HeadName) -> None:
    teach(journal, 4)
    prior = {"router": ROUTER, "validator": VALIDATOR}[name]
    expected = Head.fresh("bayes", heads(journal).open(name).hand_width, prior)
    for lesson in journal.lessons.of(name, LINEAGE, 0):
        assert lesson.answer
        assert lesson.answer.features is not None
        see_question, see_answer = seen_by_router(lesson.question), lesson.answer.features
        seen = see_question if name == "router" else seen_by_validator(lesson.question, see_answer)
        assert seen
        expected.learn(seen, lesson.is_good, 0.5, lesson.id)
    assert expected.lessons == 4
    assert_same(heads(journal).open(name), expected)


def test_without_lessons_a_head_is_fresh_and_leaves_no_file(journal: Journal) -> None:
    assert heads(journal).open("router").lessons == 0
    assert not file(journal).exists()


def test_a_caught_up_head_is_saved_with_its_place(journal: Journal) -> None:
    teach(journal, 3)
    opened = heads(journal).open("router")
    assert opened.cursor == journal.lessons.last("router", LINEAGE)
    assert_same(Head.load(file(journal), "bayes", len(QUESTION_FEATURES)), opened)


def test_opening_an_up_to_date_head_writes_nothing(journal: Journal) -> None:
    teach(journal, 3)
    heads(journal).open("router")
    before = file(journal).stat()
    heads(journal).open("router")
    assert file(journal).stat() == before


def test_learning_in_steps_gives_what_learning_at_once_gives(journal: Journal, tmp_path: Path) -> None:
    for step, has_embedding in enumerate((False, True, False)):
        teach(journal, 2, seed=step, has_embedding=has_embedding)
        heads(journal).catch_up("validator")
    assert_same(heads(journal).open("validator"), relearnt(journal, "validator", tmp_path / "fresh"))


def test_the_heads_of_another_base_know_none_of_our_lessons(journal: Journal, tmp_path: Path) -> None:
    teach(journal, 2)
    assert Heads(tmp_path, journal, "f" * 32, "bayes").open("router").lessons == 0


def note_old_version(journal: Journal) -> None:
    for table in ("questions", "answers"):
        journal._db.execute(f"UPDATE {table} SET feature_version = ?", (features.VERSION + 1,))


@pytest.mark.parametrize("name", NAMES)
def test_lessons_of_another_feature_version_are_seen_again_from_their_texts(journal: Journal, name: HeadName) -> None:
    teach(journal, 2)
    note_old_version(journal)
    teach(journal, 1, seed=1)
    head = heads(journal).open(name)
    assert (head.lessons, head.cursor) == (3, journal.lessons.last(name, LINEAGE))


def test_what_an_old_version_saw_makes_no_difference(journal: Journal, tmp_path: Path) -> None:
    teach(journal, 3, seed=5)
    note_old_version(journal)
    before = heads(journal).open("validator")
    journal._db.execute("UPDATE questions SET features = zeroblob(4)")
    journal._db.execute("UPDATE answers SET features = zeroblob(4)")
    assert_same(relearnt(journal, "validator", tmp_path / "fresh"), before)


def test_a_change_of_what_is_active_between_two_lessons_is_a_swap(journal: Journal, tmp_path: Path) -> None:
    teach(journal, 2)
    assert heads(journal).open("router").since_swap == -1
    time.sleep(0.002)  # the journal's clock counts milliseconds
    journal.adapters.add(Adapter("concise", LINEAGE, "", "", None, {}, "2026-01-01", None))
    journal.adapters.activate(LINEAGE, (("concise", 1.0),), "use")
    teach(journal, 1, seed=1)
    assert heads(journal).open("router").since_swap == 1
    assert relearnt(journal, "router", tmp_path / "fresh").since_swap == 1


def test_adapters_that_a_question_chose_and_another_name_are_no_swap(journal: Journal) -> None:
    adapter = Adapter("concise", LINEAGE, "", "", None, {}, "2026-01-01", None)
    journal.adapters.add(adapter)
    journal.adapters.activate(LINEAGE, (("concise", 1.0),), "use")
    teach(journal, 3)
    journal._db.execute("UPDATE answers SET adapters = '[[\"rust\", 1.0]]' WHERE id = 2")
    assert heads(journal).open("router").since_swap == -1
    assert journal.adapters.rename(adapter, "brief")
    teach(journal, 1, seed=1)
    assert heads(journal).open("router").since_swap == -1


def test_an_unrouted_question_shows_the_heads_nothing(journal: Journal) -> None:
    question: Question = journal.begin("here", LINEAGE, [Message("user", "Why?")], 0, True)
    assert seen_by_router(question) is None
    assert seen_by_validator(question, np.zeros(len(ANSWER_FEATURES), dtype=np.float32)) is None
