"""Heads that are re-fitted, reset, taken over by a new base: the journal keeps every lesson, and says which count."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from shammah import config
from shammah.assembly import Parts
from shammah.features import EMBEDDING_WIDTH, QUESTION_FEATURES
from shammah.hardware import BusyMeter
from shammah.heads import Head
from shammah.journal import Journal
from shammah.journal.heads import MOST_QUESTIONS_TAKEN_OVER, REFIT_LESSONS
from shammah.learning import INHERITED, Heads
from shammah.records.heads import View
from shammah.sight import seen_by_router
from tests.learnt import LINEAGE, assert_same, file, heads, relearnt, teach
from tests.tiny import write_tiny

OTHER = "f" * 32


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path) as journal:
        yield journal


def unit(text: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """An embedding that a text alone decides."""
    drawn = np.random.default_rng(len(text)).normal(size=EMBEDDING_WIDTH)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


# Views.


@pytest.mark.parametrize(
    ("spans", "cursor", "last", "expected"),
    [
        (((0, None),), 30, 50, ((0, 30), (50, None))),
        (((0, None),), 50, 50, ((0, None),)),
        (((0, None),), 0, 50, ((50, None),)),
        (((0, 30), (50, None)), 70, 80, ((0, 30), (50, 70), (80, None))),
        (((0, 30), (50, None)), 20, 80, ((0, 20), (80, None))),
        (((50, None),), 50, 50, ((50, None),)),
    ],
)
def test_a_view_that_is_cut_leaves_out_what_came_between(
    spans: tuple[tuple[int, int | None], ...],
    cursor: int,
    last: int,
    expected: tuple[tuple[int, int | None], ...],
) -> None:
    assert View(3, spans).cut(cursor, last).spans == expected


# Re-fits.


def test_a_refit_gives_what_learning_in_steps_gave_with_its_losses(journal: Journal) -> None:
    teach(journal, 12)
    before = heads(journal).open("router")
    fit = heads(journal).refit("router")
    assert_same(heads(journal).open("router"), before)
    assert (fit.lessons, fit.last_lesson) == (12, before.cursor)
    assert fit.early_loss
    assert fit.late_loss
    assert journal.heads.last_fit(LINEAGE, "router") == fit


def test_a_refit_grows_the_validators_trees_and_lessons_after_it_leave_them_as_they_are(journal: Journal) -> None:
    for seed in range(2):
        teach(journal, 20, seed=seed)
        heads(journal).catch_up("validator")
    assert heads(journal).open("validator").forest is None, "no question waits until trees are grown"
    heads(journal).refit("validator")
    grown = heads(journal).open("validator").forest
    assert grown is not None
    teach(journal, 1, seed=2)
    later = heads(journal).open("validator")
    assert later.lessons == 41
    assert later.forest is not None
    np.testing.assert_array_equal(later.forest.value, grown.value)
    heads(journal).refit("router")
    assert heads(journal).open("router").forest is None


def test_trees_are_the_same_whoever_grows_them(journal: Journal, tmp_path: Path) -> None:
    teach(journal, 40)
    heads(journal).refit("validator")
    one, other = heads(journal).open("validator").forest, relearnt(journal, "validator", tmp_path / "fresh").forest
    assert one is not None
    assert other is not None
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array, other.arrays()[name])


def test_a_reset_lets_the_trees_go(journal: Journal) -> None:
    teach(journal, 40)
    heads(journal).refit("validator")
    heads(journal).reset("validator")
    assert heads(journal).open("validator").forest is None


def test_a_refit_embeds_what_came_before_the_embedder(journal: Journal) -> None:
    teach(journal, 5)
    assert not heads(journal).open("router").sees_embedding
    assert heads(journal).refit("router", unit).lessons == 5
    assert heads(journal).open("router").with_embedding == 5
    assert list(journal.lessons.without_embedding()) == []


def test_a_refit_is_due_after_enough_new_lessons(journal: Journal) -> None:
    teach(journal, REFIT_LESSONS - 1)
    assert not journal.heads.is_refit_due(LINEAGE, "router")
    teach(journal, 1, seed=1)
    assert journal.heads.is_refit_due(LINEAGE, "router")
    heads(journal).refit("router")
    assert not journal.heads.is_refit_due(LINEAGE, "router")


def test_without_a_lesson_a_refit_has_no_loss_and_leaves_no_file(journal: Journal) -> None:
    fit = heads(journal).refit("router")
    assert (fit.lessons, fit.early_loss, fit.late_loss) == (0, None, None)
    assert not file(journal).exists()


# Resets.


def test_a_reset_head_knows_nothing_and_learns_from_the_next_lesson_on(journal: Journal) -> None:
    teach(journal, 6)
    old = heads(journal).open("router")
    aside = heads(journal).reset("router")
    assert heads(journal).open("router").lessons == 0
    assert aside
    assert_same(Head.load(aside, "bayes", len(QUESTION_FEATURES)), old)
    teach(journal, 2, seed=1)
    assert heads(journal).open("router").lessons == 2
    assert heads(journal).open("validator").lessons == 8, "only the one that was named"


def test_a_reset_outlives_its_file(journal: Journal) -> None:
    teach(journal, 6)
    heads(journal).reset("router")
    teach(journal, 2, seed=1)
    before = heads(journal).open("router")
    file(journal).unlink()
    assert_same(heads(journal).open("router"), before)
    assert heads(journal).refit("router").lessons == 2


def test_a_reset_that_was_killed_half_way_holds(journal: Journal) -> None:
    teach(journal, 6)
    heads(journal).open("router")
    last = journal.lessons.last("router", LINEAGE)
    journal.heads.change(LINEAGE, {"router": View(0, ((last, None),), inherits=False)}, "reset")
    assert heads(journal).open("router").lessons == 0
    assert list(file(journal).parent.glob("router.npz.aside-*")), "what it knew is set aside all the same"


def test_all_lessons_bring_back_what_was_reset(journal: Journal) -> None:
    teach(journal, 6)
    before = heads(journal).open("router")
    heads(journal).reset("router")
    heads(journal).learn_all("router")
    assert_same(heads(journal).open("router"), before)


# Another base.


def other(journal: Journal) -> Heads:
    return Heads(journal.path.parent, journal, OTHER, "bayes")


def test_a_new_base_learns_the_old_lessons_at_a_fifth_of_their_weight(journal: Journal) -> None:
    teach(journal, 20)
    assert journal.heads.adopt(OTHER)
    expected = Head.fresh("bayes", len(QUESTION_FEATURES))
    for lesson in journal.lessons.of("router", LINEAGE, 0):
        seen = seen_by_router(lesson.question)
        assert seen
        expected.learn(seen, lesson.is_good, INHERITED * lesson.weight, 0)
    assert_same(other(journal).open("router"), expected)
    assert other(journal).open("validator").lessons == 20


def test_a_new_base_starts_its_phases_where_the_old_one_got_to_at_most_at_fifty(journal: Journal) -> None:
    teach(journal, 3)
    assert journal.heads.adopt(OTHER)
    assert journal.count(OTHER) == 3
    teach(journal, MOST_QUESTIONS_TAKEN_OVER, seed=1)
    assert journal.heads.adopt("e" * 32)
    assert journal.count("e" * 32) == MOST_QUESTIONS_TAKEN_OVER
    assert journal.count(LINEAGE) == 3 + MOST_QUESTIONS_TAKEN_OVER


def test_what_is_taken_over_is_taken_over_once_and_later_lessons_of_others_are_not(journal: Journal) -> None:
    teach(journal, 4)
    assert journal.heads.adopt(OTHER)
    teach(journal, 4, seed=1)
    assert journal.heads.adopt(OTHER) is None
    assert other(journal).open("router").lessons == 4
    assert journal.heads.adopt(LINEAGE) is None, "it has lessons of its own"


def test_the_first_base_takes_over_nothing(journal: Journal) -> None:
    assert journal.heads.adopt(LINEAGE) is None
    assert journal.count(LINEAGE) == 0


def test_a_change_of_base_is_no_swap_of_adapters(journal: Journal) -> None:
    teach(journal, 4)
    assert journal.heads.adopt(OTHER)
    journal._db.execute("UPDATE lessons SET lineage = ? WHERE id = (SELECT max(id) FROM lessons)", (OTHER,))
    assert other(journal).open("router").since_swap == -1


def test_a_taken_over_head_that_is_reset_knows_nothing(journal: Journal) -> None:
    teach(journal, 4)
    journal.heads.adopt(OTHER)
    other(journal).reset("router")
    assert other(journal).open("router").lessons == 0


def test_a_change_of_the_served_model_is_said_once(journal: Journal, tmp_path: Path) -> None:
    teach(journal, 4)
    settings = config.load({"SHAMMAH_HOME": str(tmp_path)}, model__path=str(write_tiny(tmp_path / "tiny.gguf")))
    said: list[str] = []
    for _ in range(2):
        parts = Parts(settings, journal, BusyMeter(), said.append)
        parts.adopt()
        assert parts.heads.open("router").lessons == 4
        assert journal.count(parts.base.sha256) == 4
    assert sum("start from what the earlier one taught" in line for line in said) == 1


def test_whoever_looks_at_another_model_takes_over_nothing_and_leaves_nothing(journal: Journal, tmp_path: Path) -> None:
    teach(journal, 4)
    settings = config.load({"SHAMMAH_HOME": str(tmp_path)}, model__path=str(write_tiny(tmp_path / "tiny.gguf")))
    said: list[str] = []
    looked = Parts(settings, journal, BusyMeter(), said.append)
    assert looked.heads.look("router").lessons == 0
    assert journal.heads.adoption(looked.base.sha256) is None
    assert not looked.heads.file("router").parent.exists()
    assert not any("start from" in line for line in said)

    teach(journal, 4, seed=1)
    asked = Parts(settings, journal, BusyMeter())
    asked.adopt()
    assert asked.heads.open("router").lessons == 8, "also what was learnt after somebody looked"


def test_a_look_shows_what_opening_would_and_writes_nothing(journal: Journal) -> None:
    teach(journal, 5)
    looked = heads(journal).look("router")
    assert not file(journal).exists()
    assert_same(looked, heads(journal).open("router"))
    before = file(journal).read_bytes()
    teach(journal, 3, seed=1)
    assert heads(journal).look("router").lessons == 8
    assert Heads(journal.path.parent, journal, LINEAGE, "adam").look("router").lessons == 8
    assert file(journal).read_bytes() == before
    assert list(file(journal).parent.glob("*aside*")) == []
