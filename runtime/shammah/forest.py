"""Extremely randomised trees in numpy: they see thresholds on a few features at once, which no straight line does.

Geurts, Ernst & Wehenkel 2006, "Extremely randomized trees": see `growing`.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from shammah.learners import sigmoid

SUREST = 1e-3
"""No mean over trees is nearer to 0 or 1: a few lessons prove no more."""
GRAIN = 4096
"""Shares are multiples of 1 / 4096, so that a sum over trees is exact in float32, in whatever order."""

FLAT = 1e-9
"""A change of shares that is none."""
KINDS = {"roots": np.int32, "feature": np.int16, "bar": np.float32, "child": np.int32, "value": np.float32}
"""Of a forest's arrays, by name."""

Column = NDArray[np.float32]
Places = NDArray[np.signedinteger[Any]]


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees as arrays over all of their nodes; a node's children come after it.

    Attributes:
        roots: The first node of each tree, int32 (trees,).
        feature: Which input a node looks at, int16 (nodes,).
        bar: Up to this value it is the left child's, float32 (nodes,); infinity at a leaf.
        child: The left child, int32 (nodes,); the right one is next to it, and a leaf is its own.
        value: The share of good lessons in a node, by weight, float32 (nodes,).
    """

    roots: NDArray[np.int32]
    feature: NDArray[np.int16]
    bar: NDArray[np.float32]
    child: NDArray[np.int32]
    value: NDArray[np.float32]

    def probability(self, x: Column) -> float:
        """P(good) for one input, float32 (width,): the mean of the leaves that it falls into."""
        *_, leaves = self._paths(x)
        return _bounded(float(self.value[leaves].mean(dtype=np.float64)))

    def contributions(self, x: Column) -> tuple[float, NDArray[np.float64]]:
        """What is said of every input, and what each feature adds to it, (width,), in nats of the logit.

        By how much a node's share moves at a split is its feature's doing (Saabas 2014, "Interpreting random forests");
        the shares are turned into nats at the slope between the first and the last one, so that all add up.
        """
        moved = np.zeros(len(x))
        before: Places = self.roots
        for after in self._paths(x):
            np.add.at(moved, self.feature[before], (self.value[after] - self.value[before]) / len(self.roots))
            before = after
        first = log_odds(_bounded(float(self.value[self.roots].mean(dtype=np.float64))))
        total = float(moved.sum())
        last = self.probability(x)
        slope = (log_odds(last) - first) / total if abs(total) > FLAT else 1 / (last * (1 - last))
        return first, moved * slope

    def _paths(self, x: Column) -> Iterator[Places]:
        """Where the input stands in every tree, step by step, (trees,), until all are at leaves."""
        at: Places = self.roots
        while True:
            yield at
            step = self.child[at] + (x[self.feature[at]] > self.bar[at])
            if (step == at).all():
                return
            at = step

    def arrays(self) -> Mapping[str, NDArray[np.generic]]:
        """The whole state, by name."""
        return {name: getattr(self, name) for name in KINDS}

    @classmethod
    def read(cls, arrays: Mapping[str, NDArray[Any]], width: int) -> Self:
        """Trees over so many inputs from saved arrays.

        Raises:
            KeyError: An array is missing.
            ValueError: They are no trees: a walk would leave them, or not end.
        """
        if any(arrays[name].dtype != kind or arrays[name].ndim != 1 for name, kind in KINDS.items()):
            raise ValueError("trees of other kinds of numbers")
        known = cls(**{name: arrays[name] for name in KINDS})
        count = len(known.value)
        if {len(known.feature), len(known.bar), len(known.child)} != {count} or not len(known.roots):
            raise ValueError("trees of unlike lengths")
        places = np.arange(count)
        is_inner = known.child != places
        children = known.child[is_inner]
        if (children <= places[is_inner]).any() or not np.isfinite(known.bar[is_inner]).all():
            raise ValueError("trees whose walk does not go down")
        everyone = np.sort(np.concatenate([known.roots, children, children + 1]))
        if len(everyone) != count or (everyone != places).any():
            raise ValueError("trees that share nodes, or lack some")
        if not (known.bar[~is_inner] == np.inf).all() or not ((known.value >= 0) & (known.value <= 1)).all():
            raise ValueError("trees without leaves, or whose shares are none")
        if ((known.feature < 0) | (known.feature >= width)).any():
            raise ValueError("trees over other inputs")
        return known


def planted(parts: list[Forest]) -> Forest:
    """Several forests as one."""
    offsets = np.cumsum([0, *(len(part.value) for part in parts[:-1])])
    moved = {
        name: [(getattr(part, name) + offset).astype(np.int32) for part, offset in zip(parts, offsets, strict=True)]
        for name in ("roots", "child")
    }
    same = {name: [getattr(part, name) for part in parts] for name in ("feature", "bar", "value")}
    return Forest(**{name: np.concatenate(arrays) for name, arrays in (moved | same).items()})


def pooled(p: float, other: float) -> float:
    """The probability whose log-odds are the mean of two others'."""
    return sigmoid((log_odds(p) + log_odds(other)) / 2)


def log_odds(p: float) -> float:
    """Of a probability, in nats."""
    return math.log(p / (1 - p))


def _bounded(p: float) -> float:
    return min(1 - SUREST, max(SUREST, p))
