"""Logistic models in numpy that learn one labelled input at a time, behind one seam.

State is kept in the precision that it is saved in, so that a model that was read learns on exactly as if it had
never been written.
"""

import math
from collections.abc import Mapping
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Kind = Literal["bayes", "adam"]
DEFAULT_KIND: Kind = "bayes"
FLATTEST = 30.0
"""Nats beyond which a logit says no more."""
# Of a covariance that are moved at once: their product stays in the cache.
ROWS = 64

Array = NDArray[np.floating]


class Learner(Protocol):
    """A logistic model of growing width that learns one labelled input at a time."""

    kind: Kind

    @property
    def width(self) -> int:
        """The number of inputs."""
        ...

    def probability(self, x: Array) -> float:
        """P(label = 1) for an input of shape (width,)."""
        ...

    def learn(self, x: Array, label: float, weight: float) -> None:
        """Take in one lesson."""
        ...

    def forget(self, kept: float) -> None:
        """Trust what was learnt less, so that newer lessons count more; keep a share of it."""
        ...

    def widen(self, width: int) -> None:
        """Grow to a wider input; what is new starts at its prior."""
        ...

    @property
    def weights(self) -> Array:
        """What each input is multiplied by, (width,)."""
        ...

    @property
    def offset(self) -> float:
        """What is added to their sum."""
        ...

    def learning_rate(self) -> float | None:
        """Of the next step; None where a step has none."""
        ...

    def arrays(self) -> Mapping[str, Array]:
        """The whole state, by name."""
        ...


class BayesianLogistic:
    """Bayesian logistic regression: a Gaussian over the weights, one rank-one Laplace update a lesson.

    The update is the extended Kalman filter's for a Bernoulli observation; probabilities are averaged over the
    weights by MacKay's probit approximation (MacKay 1992, "The evidence framework applied to classification
    networks"). The prior is a unit Gaussian: how far a weight may go is said by the scale of its input.
    """

    kind: Kind = "bayes"

    def __init__(self, width: int, mean: Array | None = None, covariance: Array | None = None) -> None:
        self.mean: Array = np.zeros(width, dtype=np.float32) if mean is None else mean
        self.covariance: Array = np.eye(width, dtype=np.float32) if covariance is None else covariance

    @property
    def width(self) -> int:
        """The number of inputs."""
        return len(self.mean)

    def probability(self, x: Array) -> float:
        """P(label = 1), with the uncertainty of the weights taken in."""
        return self._averaged(x, float(x @ self.covariance @ x))

    def learn(self, x: Array, label: float, weight: float) -> None:
        """Move mean (n,) and covariance (n, n) by one lesson."""
        spread = self.covariance @ x  # (n,)
        variance = float(x @ spread)
        p = self._averaged(x, variance)
        curvature = max(1e-4, weight * p * (1 - p))
        shrink = 1 + curvature * variance
        self.mean += spread * (weight * (label - p) / shrink)
        spread *= math.sqrt(curvature / shrink)
        for start in range(0, len(spread), ROWS):
            rows = slice(start, start + ROWS)
            self.covariance[rows] -= np.outer(spread[rows], spread)

    def forget(self, kept: float) -> None:
        """Keep a share of the evidence: mix the precision back towards the prior's; the mean stays where it is."""
        prior = np.eye(self.width)
        precision = np.linalg.inv(self.covariance.astype(np.float64))
        mixed = np.linalg.inv(kept * precision + (1 - kept) * prior)
        self.covariance = mixed.astype(self.covariance.dtype)

    def widen(self, width: int) -> None:
        """Add inputs with the unit prior, independent of the rest."""
        grown = np.eye(width, dtype=self.covariance.dtype)
        grown[: len(self.mean), : len(self.mean)] = self.covariance
        self.covariance = grown
        self.mean = np.concatenate([self.mean, np.zeros(width - len(self.mean), dtype=self.mean.dtype)])

    @property
    def weights(self) -> Array:
        """The mean."""
        return self.mean

    @property
    def offset(self) -> float:
        """Nothing: the bias is an input."""
        return 0.0

    def learning_rate(self) -> None:
        """None: how far a step goes is in the covariance."""

    def arrays(self) -> Mapping[str, Array]:
        """Mean and covariance."""
        return {"mean": self.mean, "covariance": self.covariance}

    def _averaged(self, x: Array, variance: float) -> float:
        return sigmoid(float(self.mean @ x) / math.sqrt(1 + math.pi * variance / 8))


class AdamLogistic:
    """The mission's reference learner: one Adam step a lesson, with cosine warm restarts.

    Weights start at 0.01 times a unit Gaussian, the bias at -2: it distrusts the local model for long.
    """

    kind: Kind = "adam"
    rate, restart, decay_a_cycle = 1e-4, 1000, 0.95
    beta1, beta2, epsilon, weight_decay, clip = 0.9, 0.999, 1e-8, 1e-4, 1.0

    def __init__(self, width: int, arrays: Mapping[str, Array] | None = None) -> None:
        self.weight: Array = 0.01 * _initial(0, width)
        self.bias: Array = np.array([-2.0])
        self.first: Array = np.zeros(width + 1)
        self.second: Array = np.zeros(width + 1)
        self.step: Array = np.zeros(1)
        for name, value in (arrays or {}).items():
            setattr(self, name, value)

    @property
    def width(self) -> int:
        """The number of inputs."""
        return len(self.weight)

    def probability(self, x: Array) -> float:
        """P(label = 1)."""
        return sigmoid(float(self.weight @ x + self.bias[0]))

    def learn(self, x: Array, label: float, weight: float) -> None:
        """One Adam step on the weighted log-loss, the gradient clipped to length 1."""
        parameters = np.concatenate([self.weight, self.bias])
        gradient = weight * (self.probability(x) - label) * np.append(x, 1.0) + self.weight_decay * parameters
        gradient *= min(1.0, self.clip / max(float(np.linalg.norm(gradient)), 1e-12))
        rate = self.learning_rate()
        self.step += 1
        t = self.step[0]
        self.first = self.beta1 * self.first + (1 - self.beta1) * gradient
        self.second = self.beta2 * self.second + (1 - self.beta2) * gradient**2
        unbiased = self.first / (1 - self.beta1**t), self.second / (1 - self.beta2**t)
        parameters -= rate * unbiased[0] / (np.sqrt(unbiased[1]) + self.epsilon)
        self.weight, self.bias = parameters[:-1], parameters[-1:]

    @property
    def weights(self) -> Array:
        """The weights."""
        return self.weight

    @property
    def offset(self) -> float:
        """The bias."""
        return float(self.bias[0])

    def learning_rate(self) -> float:
        """1e-4 times 0.1 + 0.9 cosine over each cycle of 1000 lessons, and 0.95 a cycle."""
        cycle, place = divmod(self.step[0], self.restart)
        cosine = 0.5 * (1 + math.cos(math.pi * place / self.restart))
        return float(self.rate * self.decay_a_cycle**cycle * (0.1 + 0.9 * cosine))

    def forget(self, kept: float) -> None:
        """Nothing: a fixed learning rate forgets by itself."""

    def widen(self, width: int) -> None:
        """Add inputs with small random weights and empty moments."""
        old = len(self.weight)
        self.weight = np.concatenate([self.weight, 0.01 * _initial(old, width)])
        gap = np.zeros(width - old)
        self.first = np.concatenate([self.first[:-1], gap, self.first[-1:]])
        self.second = np.concatenate([self.second[:-1], gap, self.second[-1:]])

    def arrays(self) -> Mapping[str, Array]:
        """Weights, moments and step."""
        names = ("weight", "bias", "first", "second", "step")
        return {name: getattr(self, name) for name in names}


def _initial(start: int, stop: int) -> Array:
    """Weights from a fixed draw, so that two machines agree."""
    return np.random.default_rng(0).standard_normal(stop)[start:]


def sigmoid(z: float) -> float:
    """The logistic function, flat beyond 30 nats."""
    return 1 / (1 + math.exp(-max(-FLATTEST, min(FLATTEST, z))))


def learner(kind: Kind, width: int, state: Mapping[str, Array] | None = None) -> Learner:
    """A learner of a kind: fresh, or with a saved state."""
    if kind == "adam":
        return AdamLogistic(width, state)
    return BayesianLogistic(width, *(() if state is None else (state["mean"], state["covariance"])))
