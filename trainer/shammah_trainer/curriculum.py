"""Easy to hard: at first only what costs the model least is drawn."""

import math
from collections.abc import Sequence

STAGES = 3
"""Epochs until all examples are drawn: the easiest third, two thirds, all."""


def weights(weights: Sequence[float], difficulties: Sequence[float], epoch: int) -> list[float]:
    """The weights of an epoch, the first being 1: those of examples that are too hard for it are 0.

    Args:
        weights: Of each example.
        difficulties: Nats a token of each, before the training.
        epoch: Counted from 1.
    """
    allowed = math.ceil(len(weights) * min(epoch, STAGES) / STAGES)
    easiest = set(sorted(range(len(weights)), key=lambda place: difficulties[place])[:allowed])
    return [weight if place in easiest else 0.0 for place, weight in enumerate(weights)]
