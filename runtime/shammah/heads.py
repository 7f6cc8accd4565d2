"""Router and validator: heads in numpy that learn from one lesson at a time by logistic regression.

A head's input is a row of blocks: hand features, a bias, random waves over the hand features, then the embedding
where there is one. The embedding's
block starts at its prior whenever it arrives, so a head may learn without an embedder and with one later.

A validator has trees beside that, grown on all lessons when it is re-fitted: what it says is the mean of both log-odds.
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from shammah import features
from shammah.errors import ShammahError
from shammah.features import QUESTION_FEATURES, Features, Vector
from shammah.forest import Forest, pooled
from shammah.growing import Taught, grow, rows
from shammah.learners import Array, Kind, Learner, learner
from shammah.replacing import write_atomically

BIAS = 0.5
TREES = 100
"""Of a validator."""
TREES_PREFIX = "trees_"
"""What the names of their arrays begin with in a head's file."""
# Lessons after a swap of adapters count for more than those before it: a lesson's weight falls by a factor of
# 0.995 a lesson, for 500 lessons. Mixing the precision takes an inversion, so it is done once in 50.
SWAP_LESSONS, SWAP_KEPT, FORGET_EVERY = 500, 0.995, 50


class WrongState(ShammahError):
    """A saved head does not fit this version."""

    hint = "It is set aside; the head starts again from the journal."


@dataclass(frozen=True, slots=True)
class Prior:
    """How far the weights of each block may go: prior standard deviations, as scales of the inputs; and what is beside.

    Attributes:
        hand: Of the hand features.
        embedding: Of the question's embedding.
        waves: Number of random waves over the hand features, even; 0 for none.
        wavelength: Distance of hand features, per feature, within which waves agree.
        trees: Number of trees over the hand features from the `trees_from`th on; 0 for none.
    """

    hand: float
    embedding: float
    waves: int = 0
    wavelength: float = 0.6
    trees: int = 0
    trees_from: int = 0


ROUTER = Prior(hand=0.1, embedding=math.sqrt(0.3), waves=256)
VALIDATOR = Prior(hand=0.5, embedding=0.33, trees=TREES, trees_from=len(QUESTION_FEATURES))
# Of the mission's reference learner, which has no prior.
PLAIN = Prior(hand=math.sqrt(0.1), embedding=1.0)


@dataclass(frozen=True, slots=True)
class Contributions:
    """What speaks for a good local answer, and against it, in nats of the logit.

    Attributes:
        hand: Of each hand feature.
        waves: Of all waves over the hand features together.
        embedding: Of the whole embedding.
    """

    hand: tuple[float, ...]
    bias: float
    waves: float
    embedding: float


@dataclass(slots=True)
class Head:
    """A learner with its place in the journal.

    Attributes:
        hand_width: Number of hand features.
        projection: Directions of the random waves, float32 (hand, waves / 2).
        forest: The trees beside the learner; None before they were grown.
        lessons: Lessons taken in.
        cursor: Id of the last lesson taken in; lessons after it are still to come.
        with_embedding: Lessons that had an embedding.
        since_swap: Lessons since the local model last changed; negative where it never did.
        applied: The swap that the last lesson came after, by its activation's number.
        history: The change of what it learns from that it follows: the number of its view.
    """

    learner: Learner
    prior: Prior
    hand_width: int
    projection: Vector
    forest: Forest | None = None
    lessons: int = 0
    cursor: int = 0
    with_embedding: int = 0
    since_swap: int = -1
    applied: int = 0
    history: int = 0
    version: int = field(default=features.VERSION)

    @classmethod
    def fresh(cls, kind: Kind, hand_width: int, prior: Prior = ROUTER) -> "Head":
        """A head that knows nothing."""
        prior = PLAIN if kind == "adam" else prior
        return cls(learner(kind, hand_width + 1 + prior.waves), prior, hand_width, _projection(prior, hand_width))

    @property
    def sees_embedding(self) -> bool:
        """Whether an embedding would change what it says."""
        return self.with_embedding > 0

    def probability(self, seen: Features) -> float:
        """P(good) for what is seen; 0.5 or less of confidence before the first lesson."""
        p = self.by_line(seen)
        if self.forest is None:
            return p
        return pooled(p, self.forest.probability(self._by_trees(seen)))

    def by_line(self, seen: Features) -> float:
        """P(good) by the regression alone: for the beginning of an answer, as trees know whole ones only."""
        return self.learner.probability(self.input(seen))

    def contributions(self, seen: Features) -> Contributions:
        """What each input adds to the logit: its weight times its value, and what the trees make of it."""
        added = self.input(seen) * self.learner.weights
        offset, width = self.learner.offset, self.hand_width
        if self.forest is not None:
            first, moved = self.forest.contributions(self._by_trees(seen))
            added, offset = added / 2, (offset + first) / 2
            added[self.prior.trees_from : width] += moved / 2
        waves = width + 1 + self.prior.waves
        embedding = float(added[waves:].sum()) if seen.embedding is not None else 0.0
        bias = float(added[width]) + offset
        return Contributions(tuple(added[:width].tolist()), bias, float(added[width + 1 : waves].sum()), embedding)

    def learn(self, seen: Features, is_good: bool, weight: float, cursor: int) -> Taught:
        """Take in one lesson of the journal; the trees wait until they are grown anew."""
        self.learner.learn(self.input(seen), float(is_good), weight)
        self.lessons += 1
        self.cursor = cursor
        self.with_embedding += seen.embedding is not None
        kept = self._forget() if self.since_swap >= 0 else 1.0
        return Taught(self._by_trees(seen), is_good, weight, kept)

    def grow(self, lessons: Sequence[Taught]) -> None:
        """Grow the trees anew, on all lessons so far."""
        if self.prior.trees:
            self.forest = grow(rows(lessons), self.prior.trees)

    def note_applied(self, applied: int) -> None:
        """Hear which swap the next lesson comes after; another one than before lets older lessons count for less."""
        if self.lessons and applied != self.applied:
            self.since_swap = 0
        self.applied = applied

    def _forget(self) -> float:
        """After a swap, now and then, let all lessons so far count for less; what is left of them."""
        self.since_swap += 1
        if self.since_swap > SWAP_LESSONS or self.since_swap % FORGET_EVERY:
            return 1.0
        kept = SWAP_KEPT**FORGET_EVERY
        self.learner.forget(kept)
        return kept

    def _by_trees(self, seen: Features) -> Vector:
        """What the trees see, float32 (hand - trees_from,)."""
        return seen.hand[self.prior.trees_from :]

    def input(self, seen: Features) -> Array:
        """Hand features, bias, waves, embedding: (hand + 1 + waves [+ 384],), as wide as the learner."""
        blocks = [self.prior.hand * seen.hand, np.array([BIAS]), self._waves(seen.hand)]
        width = len(seen.hand) + 1 + self.prior.waves + (0 if seen.embedding is None else len(seen.embedding))
        known = self.learner.width
        if seen.embedding is not None:
            blocks.append(self.prior.embedding * seen.embedding)
            if known < width:
                self.learner.widen(width)
        elif known > width:
            blocks.append(np.zeros(known - width))
        return np.concatenate(blocks).astype(np.float32)

    def _waves(self, hand: Vector) -> Vector:
        """Random Fourier features of the hand features, float32 (waves,): a smooth function of all of them at once.

        Rahimi & Recht 2007: their products are those of a Gaussian kernel.
        """
        angles = hand @ self.projection
        waves = np.concatenate([np.cos(angles), np.sin(angles)])
        return (waves * math.sqrt(2 / max(1, self.prior.waves))).astype(np.float32)

    def save(self, file: Path) -> None:
        """Write the whole state under a temporary name, then put it in place."""
        buffer = io.BytesIO()
        counts = [self.lessons, self.cursor, self.with_embedding, self.since_swap, self.applied, self.history]
        numbers = np.array([self.version, self.hand_width, *counts])
        state: dict[str, Any] = {"kind": np.array(self.learner.kind), "numbers": numbers}
        trees = (
            {} if self.forest is None else {TREES_PREFIX + name: array for name, array in self.forest.arrays().items()}
        )
        np.savez(buffer, **state | {"projection": self.projection} | dict(self.learner.arrays()) | trees)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, buffer.getvalue())

    @classmethod
    def load(cls, file: Path, kind: Kind, hand_width: int, prior: Prior = ROUTER) -> "Head":
        """Read a saved head.

        Raises:
            FileNotFoundError: There is none.
            WrongState: It is damaged, of another kind, or of other features.
        """
        prior = PLAIN if kind == "adam" else prior
        state = _read(file)
        try:
            found = str(state.pop("kind"))
            version, width, *counts = (int(n) for n in state.pop("numbers"))
            if (found, version, width) != (kind, features.VERSION, hand_width):
                raise WrongState(f"{file} is a {found!r} head of feature version {version}")
            projection = state.pop("projection")
            if projection.shape != (hand_width, prior.waves // 2):
                raise WrongState(f"{file} has waves of shape {projection.shape}")
            trees = {
                name.removeprefix(TREES_PREFIX): state.pop(name)
                for name in list(state)
                if name.startswith(TREES_PREFIX)
            }
            if trees and not prior.trees:
                raise WrongState(f"{file} has trees, and is no validator")
            forest = Forest.read(trees, hand_width - prior.trees_from) if trees else None
            return cls(learner(kind, hand_width + 1, state), prior, hand_width, projection, forest, *counts)
        except (KeyError, ValueError, TypeError) as error:
            raise WrongState(f"{file} is no head: {error}") from error


def _read(file: Path) -> dict[str, Any]:
    data = io.BytesIO(file.read_bytes())  # numpy leaves a damaged file that it opened itself open
    try:
        with np.load(data, allow_pickle=False) as saved:
            return {name: saved[name] for name in saved.files}
    except Exception as error:  # numpy and zipfile raise a dozen kinds on damaged files
        raise WrongState(f"{file} is damaged: {error}") from error


def _projection(prior: Prior, hand_width: int) -> Vector:
    """Directions of the waves, float32 (hand, waves / 2), from a fixed draw; a saved head brings its own."""
    if not prior.waves:
        return np.zeros((hand_width, 0), dtype=np.float32)  # numpy.random takes 9 ms to import
    drawn = np.random.default_rng(0).standard_normal((hand_width, prior.waves // 2))
    return (drawn / (prior.wavelength * math.sqrt(hand_width))).astype(np.float32)
