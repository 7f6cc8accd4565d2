"""The mission's reference learner does what the mathematics says."""

import math

import numpy as np
import pytest

from shammah.heads import Head
from shammah.learners import AdamLogistic
from tests.taught import HAND, draws, features_of, sigmoid


def test_adam_starts_by_distrusting_the_local_model() -> None:
    head, chance = Head.fresh("adam", HAND), np.random.default_rng(0)
    said = [head.probability(features_of(chance, n % 2 == 0)) for n in range(50)]
    # sigmoid(-2) = 0.119; weights of 0.01 move it a little.
    assert said == pytest.approx([sigmoid(-2)] * 50, abs=0.02)


class SlowAdam:
    """Adam (Kingma & Ba 2015, algorithm 1) with L2 in the gradient, clipped to length 1; number by number."""

    def __init__(self, parameters: list[float]) -> None:
        self.parameters = parameters
        self.first, self.second = [0.0] * len(parameters), [0.0] * len(parameters)
        self.t = 0

    def learn(self, x: list[float], label: float, weight: float) -> None:
        inputs = [*x, 1.0]
        p = sigmoid(sum(a * b for a, b in zip(self.parameters, inputs, strict=True)))
        gradient = [weight * (p - label) * a + 1e-4 * b for a, b in zip(inputs, self.parameters, strict=True)]
        length = math.sqrt(sum(g * g for g in gradient))
        self.t += 1
        for i, whole in enumerate(gradient):
            g = whole / length if length > 1 else whole
            self.first[i] = 0.9 * self.first[i] + 0.1 * g
            self.second[i] = 0.999 * self.second[i] + 0.001 * g * g
            step = self.first[i] / (1 - 0.9**self.t) / (math.sqrt(self.second[i] / (1 - 0.999**self.t)) + 1e-8)
            self.parameters[i] -= rate_after(self.t - 1) * step


def rate_after(lessons: int) -> float:
    """1e-4, falling to a tenth by a cosine over each 1000 lessons, and 0.95 a cycle."""
    cycle, place = lessons // 1000, lessons % 1000
    return 1e-4 * 0.95**cycle * (0.1 + 0.9 * (1 + math.cos(math.pi * place / 1000)) / 2)


def test_adams_first_steps_equal_a_plain_implementation() -> None:
    learner = AdamLogistic(5)
    other = SlowAdam([*learner.weight.tolist(), *learner.bias.tolist()])
    for x, label, weight in draws(4, 1100, 5):  # past the first restart
        learner.learn(x, label, weight)
        other.learn(x.tolist(), label, weight)
    np.testing.assert_allclose([*learner.weight, *learner.bias], other.parameters, rtol=1e-9)


@pytest.mark.parametrize(
    ("lessons", "rate"),
    [
        (0, 1e-4),
        (500, 0.55e-4),
        (1000, 0.95e-4),
        (1500, 0.95 * 0.55e-4),
        (2000, 0.95**2 * 1e-4),
        (10_000, 0.95**10 * 1e-4),
    ],
)
def test_the_learning_rate_follows_cosine_warm_restarts(lessons: int, rate: float) -> None:
    learner = AdamLogistic(1)
    learner.step[:] = lessons
    assert learner.learning_rate() == pytest.approx(rate)


def test_the_learning_rate_is_a_tenth_at_a_cycles_end() -> None:
    learner = AdamLogistic(1)
    learner.step[:] = 999
    assert learner.learning_rate() == pytest.approx(1e-5, rel=1e-3)
