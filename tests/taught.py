"""Heads that have learnt something, and what they learn from."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from shammah.features import EMBEDDING_WIDTH, QUESTION_FEATURES, Features
from shammah.heads import ROUTER, Head
from shammah.learners import BayesianLogistic, Kind

Array = NDArray[np.float64]
KINDS: tuple[Kind, ...] = ("bayes", "adam")
HAND = len(QUESTION_FEATURES)
NARROW = {"bayes": HAND + 1 + ROUTER.waves, "adam": HAND + 1}  # without an embedding
LESSON_WEIGHTS = (1.0, 0.5, 0.1)


def draws(seed: int, count: int, width: int) -> Iterator[tuple[Array, float, float]]:
    """Inputs with a label and a weight."""
    chance = np.random.default_rng(seed)
    for _ in range(count):
        yield chance.normal(size=width), float(chance.integers(2)), LESSON_WEIGHTS[chance.integers(3)]


def features_of(chance: np.random.Generator, has_embedding: bool) -> Features:
    hand = chance.normal(size=HAND).astype(np.float32)
    vector = chance.normal(size=EMBEDDING_WIDTH).astype(np.float32)
    return Features(hand, vector / np.float32(np.linalg.norm(vector)) if has_embedding else None)


def taught(kind: Kind, count: int = 20, has_embedding: bool = True, seed: int = 0) -> Head:
    head = Head.fresh(kind, HAND)
    chance = np.random.default_rng(seed)
    for number in range(1, count + 1):
        head.learn(features_of(chance, has_embedding), bool(chance.integers(2)), 0.5, number)
    return head


def exact(width: int) -> BayesianLogistic:
    """The Bayesian learner in float64; heads keep float32."""
    return BayesianLogistic(width, np.zeros(width), np.eye(width))


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))
