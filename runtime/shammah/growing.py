"""How trees grow on lessons, all at once and level by level.

Geurts, Ernst & Wehenkel 2006, "Extremely randomized trees": at each node a few features are drawn, for each a threshold
between its least and its largest value there, and the split is taken that parts good from bad best (Gini).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shammah.forest import GRAIN, KINDS, Column, Forest, Places, planted

LEAST_LESSONS = 30
"""On fewer no tree is grown."""
LEAST_IN_A_LEAF, MOST_LEAVES = 4, 256
"""A leaf holds so many lessons at least, and more where a tree would have more leaves."""
VALUES_AT_ONCE = 2_000_000
"""Of inputs, copied while so many trees grow side by side: 8 MB."""
LEAST_WEIGHT = 1e-6
"""A lesson that counts for less says nothing."""
ROUNDING = 1e-6
"""By so much, as a share, a sum of weights may fall short of what it is."""

Level = dict[str, NDArray[Any]]
"""The arrays of a level's nodes, by name."""


@dataclass(frozen=True, slots=True)
class Taught:
    """A lesson as trees take it.

    Attributes:
        seen: Inputs, float32 (width,).
        kept: What it left of itself and of all lessons before it: less than 1 where a swap lets them count for less.
    """

    seen: Column
    is_good: bool
    weight: float = 1.0
    kept: float = 1.0


@dataclass(frozen=True, slots=True)
class Rows:
    """Lessons side by side.

    Attributes:
        x: Inputs, float32 (n, width).
        is_good: Labels, (n,).
        weight: What each counts for, above 0, float64 (n,).
    """

    x: Column
    is_good: NDArray[np.bool_]
    weight: NDArray[np.float64]

    @property
    def typical(self) -> float:
        """The weight of a lesson, by weight."""
        return float((self.weight**2).sum() / self.weight.sum())

    @property
    def count(self) -> float:
        """As many lessons of one weight say as much (Kish 1965's effective sample size)."""
        return float(self.weight.sum() / self.typical)


def rows(lessons: Sequence[Taught]) -> Rows:
    """All lessons that still count for something, in order."""
    kept = np.cumprod([lesson.kept for lesson in lessons][::-1])[::-1]
    weighed = zip(lessons, (np.array([lesson.weight for lesson in lessons]) * kept).tolist(), strict=True)
    counting = [(lesson, weight) for lesson, weight in weighed if weight > LEAST_WEIGHT]
    return Rows(
        np.array([lesson.seen for lesson, _ in counting], dtype=np.float32),
        np.array([lesson.is_good for lesson, _ in counting], dtype=np.bool_),
        np.array([weight for _, weight in counting], dtype=np.float64),
    )


def grow(lessons: Rows, trees: int) -> Forest | None:
    """So many trees that tell good lessons from bad, the same each time; None on too few, or of one kind alone."""
    good = lessons.is_good
    if good.all() or not good.any() or lessons.count < LEAST_LESSONS * (1 - ROUNDING):
        return None
    chance, at_once = np.random.default_rng(0), max(1, VALUES_AT_ONCE // lessons.x.size)
    turns = [min(at_once, trees - first) for first in range(0, trees, at_once)]
    return planted([_Thicket(lessons, count, chance).grown() for count in turns])


@dataclass(frozen=True, slots=True)
class _Nodes:
    """The nodes of a level, with the lessons in each, one node after the other.

    Attributes:
        lessons: Places among the inputs, (lessons,).
        starts: Where each node's lessons begin, (nodes,).
    """

    lessons: Places
    starts: Places

    @property
    def sizes(self) -> Places:
        """Number of lessons in each node, (nodes,)."""
        return np.diff(self.starts, append=len(self.lessons))

    @property
    def node(self) -> Places:
        """The node of each lesson, (lessons,)."""
        return np.repeat(np.arange(len(self.starts)), self.sizes)

    def sums(self, values: NDArray[Any]) -> NDArray[Any]:
        """Of what every lesson has, (lessons, ...): the sum in each node, (nodes, ...)."""
        return np.asarray(np.add.reduceat(values, self.starts))


@dataclass(frozen=True, slots=True)
class _Splits:
    """For each node the best split of those that were drawn, (nodes,); `is_any` where one can be made."""

    feature: Places
    bar: Column
    is_any: NDArray[np.bool_]


class _Thicket:
    """Some trees that grow side by side, level by level."""

    def __init__(self, lessons: Rows, trees: int, chance: "np.random.Generator") -> None:
        self._x, self._weight = lessons.x, lessons.weight
        self._good = lessons.weight * lessons.is_good
        self._trees, self._chance = trees, chance
        self._leaf = lessons.typical * max(LEAST_IN_A_LEAF, lessons.count / MOST_LEAVES) * (1 - ROUNDING)
        self._drawn = max(1, round(math.sqrt(self._x.shape[1])))

    def grown(self) -> Forest:
        """Grow them to their leaves."""
        n, levels, first = len(self._x), list[Level](), 0
        nodes = _Nodes(np.tile(np.arange(n), self._trees), np.arange(0, n * self._trees, n))
        while len(nodes.starts):
            splits = self._splits(nodes)
            levels.append(self._level(nodes, splits, first))
            first += len(nodes.starts)
            nodes = self._below(nodes, splits)
        joined = {name: np.concatenate([level[name] for level in levels]) for name in KINDS if name != "roots"}
        return Forest(np.arange(self._trees, dtype=np.int32), **joined)

    def _level(self, nodes: _Nodes, splits: _Splits, first: int) -> Level:
        """A level's nodes as they are kept; the first has this number, and their children come right after them."""
        child = first + np.arange(len(nodes.starts))
        child[splits.is_any] = first + len(child) + 2 * np.arange(splits.is_any.sum())
        share = nodes.sums(self._good[nodes.lessons]) / nodes.sums(self._weight[nodes.lessons])
        return {
            "feature": np.where(splits.is_any, splits.feature, 0).astype(np.int16),
            "bar": np.where(splits.is_any, splits.bar, np.inf).astype(np.float32),
            "child": child.astype(np.int32),
            "value": (np.round(share * GRAIN) / GRAIN).astype(np.float32),
        }

    def _below(self, nodes: _Nodes, splits: _Splits) -> _Nodes:
        """The children of a level's nodes."""
        goes_on = splits.is_any[nodes.node]
        lessons, parent = nodes.lessons[goes_on], nodes.node[goes_on]
        is_right = self._x[lessons, splits.feature[parent]] > splits.bar[parent]
        child = 2 * (np.cumsum(splits.is_any) - 1)[parent] + is_right
        order = np.argsort(child, kind="stable")
        return _Nodes(lessons[order], np.flatnonzero(np.diff(child[order], prepend=-1)))

    def _splits(self, nodes: _Nodes) -> _Splits:
        values = self._x[nodes.lessons]  # (lessons, width)
        low, high = (one.reduceat(values, nodes.starts) for one in (np.minimum, np.maximum))  # (nodes, width)
        # Of the features that differ within a node; where fewer do, the rest cannot split it.
        keys = np.where(high > low, self._chance.random(low.shape, dtype=np.float32), 2)
        drawn = np.argsort(keys, axis=1, kind="stable")[:, : self._drawn]  # (nodes, drawn); the same on every machine
        low, high = np.take_along_axis(low, drawn, 1), np.take_along_axis(high, drawn, 1)
        with np.errstate(over="ignore", invalid="ignore"):  # a bar beyond all numbers parts nothing
            bars = low + (high - low) * self._chance.random(low.shape, dtype=np.float32)
        is_left = np.take_along_axis(values, drawn[nodes.node], 1) <= bars[nodes.node]  # (lessons, drawn)
        worth = self._worth(nodes, is_left)
        row, best = np.arange(len(drawn)), worth.argmax(axis=1)
        return _Splits(drawn[row, best], bars[row, best], worth[row, best] > -np.inf)

    def _worth(self, nodes: _Nodes, is_left: NDArray[np.bool_]) -> NDArray[np.float64]:
        """How well each drawn split parts good from bad, (nodes, drawn): Gini's gain but for a constant of the node.

        None, minus infinity, where a side would hold too few lessons, or the node is of one kind already.
        """
        weight, good = self._weight[nodes.lessons][:, None], self._good[nodes.lessons][:, None]
        weights, goods = nodes.sums(is_left * weight), nodes.sums(is_left * good)
        all_weights, all_goods = nodes.sums(weight), nodes.sums(good)  # (nodes, 1)
        is_mixed = (all_goods > 0) & (all_goods < all_weights)
        may_be = is_mixed & (weights >= self._leaf) & (all_weights - weights >= self._leaf)
        with np.errstate(divide="ignore", invalid="ignore"):
            worth = goods**2 / weights + (all_goods - goods) ** 2 / (all_weights - weights)
        return np.where(may_be, worth, -np.inf)
