"""The validator's trees: what they see, what they say of it, and what happens to them on the disk."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shammah.features import Features
from shammah.forest import GRAIN, SUREST, Forest, log_odds
from shammah.growing import LEAST_IN_A_LEAF, LEAST_LESSONS, MOST_LEAVES, grow
from shammah.heads import SWAP_KEPT, Head, Prior, Taught, WrongState

TREES = 40
PRIOR = Prior(hand=0.5, embedding=0.33, trees=TREES, trees_from=1)


def lessons(count: int, seed: int = 0) -> tuple[Any, Any, Any]:
    """Inputs that are good where the first one is near to zero, their labels, and weights of one."""
    x = np.random.default_rng(seed).normal(size=(count, 6)).astype(np.float32)
    return x, np.abs(x[:, 0]) < 0.7, np.ones(count, dtype=np.float32)


def grown(count: int = 200) -> Forest:
    forest = grow(*lessons(count), TREES)
    assert forest is not None
    return forest


def members(forest: Forest, x: Any) -> Any:
    """Which leaf each input falls into, in every tree, (inputs, trees)."""
    return np.stack([list(forest._paths(one))[-1] for one in x])


def test_trees_tell_apart_what_no_straight_line_does() -> None:
    forest = grown(400)
    x, is_good, _ = lessons(200, seed=1)
    said = np.array([forest.probability(one) > 0.5 for one in x])
    assert (said == is_good).mean() > 0.9  # a line calls about half of them right


def test_the_same_lessons_grow_the_same_trees() -> None:
    one, other = grown().arrays(), grown().arrays()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name])


@pytest.mark.parametrize("labels", [np.ones(200, dtype=bool), np.zeros(200, dtype=bool)])
def test_lessons_of_one_kind_grow_no_tree(labels: Any) -> None:
    x, _, weight = lessons(200)
    assert grow(x, labels, weight, TREES) is None


def test_few_lessons_grow_no_tree() -> None:
    assert grow(*lessons(LEAST_LESSONS - 1), TREES) is None
    assert grow(*lessons(LEAST_LESSONS), TREES) is not None


@pytest.mark.parametrize("count", [60, 2000])
def test_a_leaf_holds_its_least_and_a_tree_no_more_leaves_than_it_may(count: int) -> None:
    x, *_ = lessons(count)
    leaf_of = members(grown(count), x)
    for tree in leaf_of.T:
        _, sizes = np.unique(tree, return_counts=True)
        assert sizes.min() >= LEAST_IN_A_LEAF
        assert len(sizes) <= MOST_LEAVES


def test_trees_that_grow_in_turns_are_as_many_and_as_good(monkeypatch: pytest.MonkeyPatch) -> None:
    x, is_good, weight = lessons(400)
    monkeypatch.setattr("shammah.growing.VALUES_AT_ONCE", 3 * x.size)
    forest = grow(x, is_good, weight, TREES)
    assert forest is not None
    assert len(forest.roots) == TREES
    assert np.mean([(forest.probability(one) > 0.5) == good for one, good in zip(x, is_good, strict=True)]) > 0.95
    leaf_of = members(forest, x)
    assert all(len(np.intersect1d(leaf_of[:, 0], other)) == 0 for other in leaf_of.T[1:]), "each tree has its nodes"


def test_a_share_is_of_the_weights() -> None:
    x, is_good, weight = lessons(100)
    weight[is_good] = 3
    forest = grow(x, is_good, weight, TREES)
    assert forest is not None
    share = 3 * is_good.sum() / (3 * is_good.sum() + (~is_good).sum())
    np.testing.assert_allclose(forest.value[forest.roots], share, atol=1 / GRAIN)


def test_features_that_never_differ_split_nothing() -> None:
    x, is_good, weight = lessons(100)
    x[:, 2:] = 1
    forest = grow(x, is_good, weight, TREES)
    assert forest is not None
    assert set(forest.feature.tolist()) <= {0, 1}


def test_what_each_feature_adds_adds_up_and_names_the_one_that_matters() -> None:
    forest, added = grown(), list[Any]()
    for one in lessons(20, seed=2)[0]:
        first, moved = forest.contributions(one)
        assert first + moved.sum() == pytest.approx(log_odds(forest.probability(one)), abs=1e-9)
        added.append(np.abs(moved))
    assert np.mean(added, axis=0).argmax() == 0


def test_nobody_is_surer_than_a_few_lessons_allow() -> None:
    x, _, weight = lessons(100)
    forest = grow(x, x[:, 0] > 0, weight, TREES)
    assert forest is not None
    far = np.full(6, 9, dtype=np.float32)
    assert SUREST <= forest.probability(-far) < forest.probability(far) <= 1 - SUREST


# As a part of a head.


def taught(count: int = 200) -> tuple[Head, list[Taught]]:
    """A head that has taken lessons; what its trees see begins with the second feature."""
    head = Head.fresh("bayes", 7, PRIOR)
    x, is_good, _ = lessons(count)
    hand = np.concatenate([np.zeros((count, 1), dtype=np.float32), x], axis=1)
    rows = zip(hand, is_good, strict=True)
    return head, [head.learn(Features(one), bool(good), 1.0, n) for n, (one, good) in enumerate(rows)]


def test_a_head_says_the_mean_of_both_log_odds() -> None:
    head, lessons = taught()
    seen = Features(lessons[0].hand)
    line = head.probability(seen)
    head.grow(lessons)
    assert head.forest is not None
    trees = head.forest.probability(seen.hand[1:])
    assert trees != pytest.approx(line, abs=0.1)
    assert log_odds(head.probability(seen)) == pytest.approx((log_odds(line) + log_odds(trees)) / 2, abs=1e-9)


def test_of_a_beginning_only_the_line_is_asked() -> None:
    head, lessons = taught()
    seen = Features(lessons[0].hand)
    line = head.probability(seen)
    head.grow(lessons)
    assert head.by_line(seen) == line != head.probability(seen)


def test_what_was_learnt_before_a_swap_counts_for_less_in_the_trees() -> None:
    head = Head.fresh("bayes", 7, PRIOR)
    course, chance = list[Taught](), np.random.default_rng(3)
    for n in range(400):
        head.note_applied(n // 200)
        course.append(head.learn(Features(chance.normal(size=7).astype(np.float32)), n >= 200, 1.0, n))
    head.grow(course)
    assert head.forest is not None
    before, after = 200 * SWAP_KEPT**200, (SWAP_KEPT ** np.arange(200)).sum()
    np.testing.assert_allclose(head.forest.value[head.forest.roots], after / (before + after), atol=1 / GRAIN)


def test_a_read_head_has_its_trees(tmp_path: Path) -> None:
    head, lessons = taught()
    head.grow(lessons)
    head.save(tmp_path / "head.npz")
    read = Head.load(tmp_path / "head.npz", "bayes", 7, PRIOR)
    for lesson in lessons:
        seen = Features(lesson.hand)
        assert read.probability(seen) == head.probability(seen)


def test_lessons_that_count_for_nothing_grow_nothing() -> None:
    head, lessons = taught()
    head.grow([Taught(one.hand, one.is_good, 0.0, -1) for one in lessons])
    assert head.forest is None


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("child", 0, 0),  # the walk would end at an inner node
        ("child", 1, 0),  # and here it would never end
        ("child", 0, 10**6),
        ("child", 0, -5),
        ("feature", 0, 6),
        ("feature", 0, -1),
        ("roots", 0, 10**6),
        ("roots", 0, -1),
        ("value", 0, np.nan),
        ("value", 0, 2.0),
    ],
)
def test_trees_that_are_none_are_refused(name: str, place: int, value: float, tmp_path: Path) -> None:
    head, lessons = taught()
    head.grow(lessons)
    file = tmp_path / "head.npz"
    head.save(file)
    with np.load(file) as saved:
        arrays = {key: saved[key] for key in saved.files}
    arrays[f"trees_{name}"][place] = value
    np.savez(file, **arrays)
    with pytest.raises(WrongState):
        Head.load(file, "bayes", 7, PRIOR)


@pytest.mark.parametrize("name", ["roots", "feature", "bar", "child", "value"])
def test_trees_with_a_part_missing_are_refused(name: str, tmp_path: Path) -> None:
    head, lessons = taught()
    head.grow(lessons)
    file = tmp_path / "head.npz"
    head.save(file)
    with np.load(file) as saved:
        arrays = {key: saved[key] for key in saved.files if key != f"trees_{name}"}
    np.savez(file, **arrays)
    with pytest.raises(WrongState):
        Head.load(file, "bayes", 7, PRIOR)
