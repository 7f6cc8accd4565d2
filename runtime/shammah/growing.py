"""How trees grow on lessons, all at once and level by level.

Geurts, Ernst & Wehenkel 2006, "Extremely randomized trees": at each node a few features are drawn, for each a threshold
between its least and its largest value there, and the split is taken that parts good from bad best (Gini).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shammah.forest import GRAIN, Column, Forest, Places, names

LEAST_LESSONS, LEAST_IN_A_LEAF, MOST_LEAVES = 30, 4, 256
"""Trees are grown on so many lessons at least; a leaf holds so many, and more where a tree would have more leaves."""
VALUES_AT_ONCE = 2_000_000
"""Of inputs, copied while so many trees grow side by side: 8 MB."""

Level = dict[str, NDArray[Any]]
"""The arrays of a level's nodes, by name."""


def grow(x: Column, is_good: NDArray[np.bool_], weight: Column, trees: int) -> Forest | None:
    """Trees that tell good lessons from bad, the same ones each time; None on too few lessons, or of one kind alone.

    Args:
        x: Inputs, float32 (n, width).
        is_good: Labels, (n,).
        weight: What each lesson counts for, above 0, (n,).
        trees: How many.
    """
    if len(x) < LEAST_LESSONS or is_good.all() or not is_good.any():
        return None
    chance, at_once = np.random.default_rng(0), max(1, VALUES_AT_ONCE // x.size)
    grown = [
        _Thicket(x, is_good, weight, min(at_once, trees - first), chance).grown() for first in range(0, trees, at_once)
    ]
    return _planted(grown)


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

    def __init__(
        self, x: Column, is_good: NDArray[np.bool_], weight: Column, trees: int, chance: np.random.Generator
    ) -> None:
        self._x, self._weight = x, weight.astype(np.float64)
        self._good = self._weight * is_good
        self._trees, self._chance = trees, chance
        self._leaf = max(LEAST_IN_A_LEAF, math.ceil(len(x) / MOST_LEAVES))
        self._drawn = max(1, round(math.sqrt(x.shape[1])))

    def grown(self) -> Forest:
        """Grow them to their leaves."""
        n, levels, first = len(self._x), list[Level](), 0
        nodes = _Nodes(np.tile(np.arange(n), self._trees), np.arange(0, n * self._trees, n))
        while len(nodes.starts):
            splits = self._splits(nodes)
            levels.append(self._level(nodes, splits, first))
            first += len(nodes.starts)
            nodes = self._below(nodes, splits)
        joined = {name: np.concatenate([level[name] for level in levels]) for name in names() if name != "roots"}
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
        drawn = np.argpartition(keys, self._drawn - 1, axis=1)[:, : self._drawn]  # (nodes, drawn)
        low, high = np.take_along_axis(low, drawn, 1), np.take_along_axis(high, drawn, 1)
        bars = low + (high - low) * self._chance.random(low.shape, dtype=np.float32)
        is_left = np.take_along_axis(values, drawn[nodes.node], 1) <= bars[nodes.node]  # (lessons, drawn)
        worth = self._worth(nodes, is_left)
        row, best = np.arange(len(drawn)), worth.argmax(axis=1)
        return _Splits(drawn[row, best], bars[row, best], worth[row, best] > -np.inf)

    def _worth(self, nodes: _Nodes, is_left: NDArray[np.bool_]) -> NDArray[np.float64]:
        """How well each drawn split parts good from bad, (nodes, drawn): Gini's gain but for a constant of the node.

        None, minus infinity, where a side would hold too few lessons, or the node is of one kind already.
        """
        count, size = nodes.sums(is_left.astype(np.intp)), nodes.sizes[:, None]
        weight, good = self._weight[nodes.lessons][:, None], self._good[nodes.lessons][:, None]
        weights, goods = nodes.sums(is_left * weight), nodes.sums(is_left * good)
        all_weights, all_goods = nodes.sums(weight), nodes.sums(good)  # (nodes, 1)
        is_mixed = (all_goods > 0) & (all_goods < all_weights)
        may_be = is_mixed & (count >= self._leaf) & (size - count >= self._leaf)
        with np.errstate(divide="ignore", invalid="ignore"):
            worth = goods**2 / weights + (all_goods - goods) ** 2 / (all_weights - weights)
        return np.where(may_be, worth, -np.inf)


def _planted(parts: list[Forest]) -> Forest:
    """Several forests as one."""
    offsets = np.cumsum([0, *(len(part.value) for part in parts[:-1])])
    moved = {
        name: [(getattr(part, name) + offset).astype(np.int32) for part, offset in zip(parts, offsets, strict=True)]
        for name in ("roots", "child")
    }
    same = {name: [getattr(part, name) for part in parts] for name in ("feature", "bar", "value")}
    return Forest(**{name: np.concatenate(arrays) for name, arrays in (moved | same).items()})
