"""Trees alone: how they grow, what they see, and what they say of it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from shammah.forest import GRAIN, SUREST, Forest, log_odds, planted
from shammah.growing import LEAST_IN_A_LEAF, LEAST_LESSONS, MOST_LEAVES, Rows, grow

TREES = 40


def drawn(count: int, seed: int = 0, noise: float = 0.0) -> Rows:
    """Lessons that are good where the first of six inputs is near to zero, but for a share of noise."""
    chance = np.random.default_rng(seed)
    x = chance.normal(size=(count, 6)).astype(np.float32)
    is_good = (np.abs(x[:, 0]) < 0.7) != (chance.random(count) < noise)
    return Rows(x, is_good, np.ones(count))


def grown(lessons: Rows) -> Forest:
    forest = grow(lessons, TREES)
    assert forest is not None
    return forest


def members(forest: Forest, x: Any) -> Any:
    """Which leaf each input falls into, in every tree, (inputs, trees)."""
    return np.stack([list(forest._paths(one))[-1] for one in x])


def test_trees_tell_apart_what_no_straight_line_does() -> None:
    forest, fresh = grown(drawn(400)), drawn(200, seed=1)
    said = np.array([forest.probability(one) > 0.5 for one in fresh.x])
    assert (said == fresh.is_good).mean() > 0.9  # a line calls about half of them right


def test_the_same_lessons_grow_the_same_trees() -> None:
    one, other = grown(drawn(200)).arrays(), grown(drawn(200)).arrays()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name])


@pytest.mark.parametrize("is_good", [True, False])
def test_lessons_of_one_kind_grow_no_tree(is_good: bool) -> None:
    assert grow(replace(drawn(200), is_good=np.full(200, is_good)), TREES) is None


def test_few_lessons_grow_no_tree() -> None:
    assert grow(drawn(LEAST_LESSONS - 1), TREES) is None
    assert grow(drawn(LEAST_LESSONS), TREES) is not None


def test_many_lessons_that_hardly_count_are_few() -> None:
    weight = np.append(np.full(400, 0.001), np.ones(LEAST_LESSONS - 10))
    assert grow(replace(drawn(len(weight)), weight=weight), TREES) is None


@pytest.mark.parametrize("weight", [1.0, 0.1])
@pytest.mark.parametrize("count", [60, 5000])
def test_a_leaf_holds_its_least_and_a_tree_no_more_leaves_than_it_may(count: int, weight: float) -> None:
    lessons = replace(drawn(count, noise=0.3), weight=np.full(count, weight))
    leaf_of = members(grown(lessons), lessons.x)
    sizes = [np.unique(tree, return_counts=True)[1] for tree in leaf_of.T]
    assert min(size.min() for size in sizes) >= max(LEAST_IN_A_LEAF, count / MOST_LEAVES)
    assert np.median([len(size) for size in sizes]) > 4


def test_a_leaf_of_lessons_that_count_for_less_holds_more_of_them() -> None:
    lessons = drawn(2000, noise=0.3)
    lessons = replace(lessons, weight=np.where(np.arange(2000) < 1800, 0.01, 1.0))
    leaf_of = members(grown(lessons), lessons.x)
    weights = [np.bincount(tree, lessons.weight)[np.unique(tree)].min() for tree in leaf_of.T]
    assert min(weights) >= LEAST_IN_A_LEAF * lessons.typical - 1e-6
    assert lessons.typical > 0.9


def test_trees_that_grow_in_turns_are_as_many_and_as_good(monkeypatch: pytest.MonkeyPatch) -> None:
    lessons = drawn(400)
    monkeypatch.setattr("shammah.growing.VALUES_AT_ONCE", 3 * lessons.x.size)
    forest = grown(lessons)
    assert len(forest.roots) == TREES
    said = np.array([forest.probability(one) > 0.5 for one in lessons.x])
    assert (said == lessons.is_good).mean() > 0.95
    leaf_of = members(forest, lessons.x)
    assert all(len(np.intersect1d(leaf_of[:, 0], other)) == 0 for other in leaf_of.T[1:]), "each tree has its nodes"


def test_shares_are_of_the_weights_and_round() -> None:
    lessons = drawn(101)
    lessons = replace(lessons, weight=np.where(lessons.is_good, 3.0, 1.0))
    forest = grown(lessons)
    share = (3 * lessons.is_good.sum()) / (3 * lessons.is_good.sum() + (~lessons.is_good).sum())
    np.testing.assert_allclose(forest.value[forest.roots], share, atol=1 / GRAIN)
    np.testing.assert_array_equal(forest.value * GRAIN, np.round(forest.value * GRAIN))


def test_the_split_that_is_taken_parts_the_weight_that_is_good_from_the_bad() -> None:
    """The first input parts many lessons that hardly count, the second the few that do."""
    chance = np.random.default_rng(5)
    x = chance.choice([-1, 1], size=(600, 2)).astype(np.float32)
    heavy = np.arange(600) < 100
    is_good = np.where(heavy, x[:, 1] > 0, x[:, 0] > 0)
    forest = grown(Rows(x, is_good, np.where(heavy, 1.0, 0.02)))
    first = {root: int(forest.feature[root]) for root in forest.roots.tolist()}
    assert np.mean(list(first.values())) == pytest.approx(0.5, abs=0.25), "one of two is drawn, each as often"
    wide = grown(Rows(np.repeat(x, 2, axis=1), is_good, np.where(heavy, 1.0, 0.02)))
    assert np.mean(wide.feature[wide.roots] >= 2) > 0.7, "of two that are drawn the one that counts is taken"


def test_features_that_never_differ_are_not_drawn() -> None:
    lessons = drawn(100)
    x = np.concatenate([lessons.x[:, :1], np.ones((100, 8), dtype=np.float32)], axis=1)
    forest = grown(replace(lessons, x=x))
    assert (forest.child[forest.roots] != forest.roots).mean() > 0.5, "three of nine are drawn, so a third by chance"
    assert set(forest.feature.tolist()) == {0}


def test_a_node_of_one_kind_is_a_leaf() -> None:
    forest = grown(drawn(400))
    is_pure = (forest.value == 0) | (forest.value == 1)
    assert is_pure.any()
    assert (forest.child[is_pure] == np.flatnonzero(is_pure)).all()


def test_numbers_beyond_all_bounds_part_what_they_can() -> None:
    lessons = drawn(100)
    lessons.x[:40, 1], lessons.x[60:, 2] = np.inf, -np.inf
    lessons.x[::2, 3], lessons.x[1::2, 3] = 3e38, -3e38
    forest = grown(lessons)
    assert all(0 < forest.probability(one) < 1 for one in lessons.x)


def test_what_each_feature_adds_adds_up_and_names_the_one_that_matters() -> None:
    forest, added = grown(drawn(200)), list[Any]()
    for one in drawn(20, seed=2).x:
        first, moved = forest.contributions(one)
        assert first + moved.sum() == pytest.approx(log_odds(forest.probability(one)), abs=1e-9)
        added.append(np.abs(moved))
    assert np.mean(added, axis=0).argmax() == 0


def test_features_that_take_each_other_back_are_named_all_the_same() -> None:
    """Two trees, one of which rises by the first feature as much as the other falls by the second."""
    stumps = [
        Forest(np.array([0], np.int32), *_stump(0, 0.25, 0.75)),
        Forest(np.array([0], np.int32), *_stump(1, 0.75, 0.25)),
    ]
    first, moved = planted(stumps).contributions(np.ones(2, dtype=np.float32))
    assert first == 0
    np.testing.assert_allclose(moved, [0.5, -0.5])  # a quarter in one of two trees, at a slope of 1 / (0.5 * 0.5)


def _stump(feature: int, low: float, high: float) -> tuple[Any, ...]:
    bar = np.array([0, np.inf, np.inf], np.float32)
    child, value = np.array([1, 1, 2], np.int32), np.array([0.5, low, high], np.float32)
    return np.array([feature, 0, 0], np.int16), bar, child, value


def test_nobody_is_surer_than_a_few_lessons_allow() -> None:
    lessons = drawn(100)
    x = np.where(lessons.is_good[:, None], 1, -1).astype(np.float32) * np.ones((1, 3), np.float32)
    forest = grown(replace(lessons, x=x))
    assert forest.probability(x[lessons.is_good][0]) == 1 - SUREST
    assert forest.probability(x[~lessons.is_good][0]) == SUREST
