"""Router and validator: logistic heads in numpy that learn from one lesson at a time.

A head's input is a row of blocks: hand features, a bias, then the embedding where there is one. The embedding's
block starts at its prior whenever it arrives, so a head may learn without an embedder and with one later.
"""

import io
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from shammah import features
from shammah.errors import ShammahError
from shammah.features import Features

Kind = Literal["bayes", "adam"]
Array = NDArray[np.float64]

# Prior standard deviations of the logit weights (embedding 1, hand features sqrt(0.1), bias 0.5), as input scales.
HAND_SCALE = math.sqrt(0.1)
BIAS = 0.5


class WrongState(ShammahError):
    """A saved head does not fit this version."""

    hint = "It is set aside; the head starts again from the journal."


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

    def widen(self, width: int) -> None:
        """Grow to a wider input; what is new starts at its prior."""
        ...

    def arrays(self) -> Mapping[str, Array]:
        """The whole state, by name."""
        ...


class BayesianLogistic:
    """Bayesian logistic regression: a Gaussian over the weights, one rank-one Laplace update a lesson.

    The update is the extended Kalman filter's for a Bernoulli observation; probabilities are averaged over the
    weights by MacKay's probit approximation (MacKay 1992, "The evidence framework applied to classification
    networks"). The prior is a unit Gaussian. Nothing is tuned.
    """

    kind: Kind = "bayes"

    def __init__(self, width: int, mean: Array | None = None, covariance: Array | None = None) -> None:
        self.mean = np.zeros(width) if mean is None else mean
        self.covariance = np.eye(width) if covariance is None else covariance

    @property
    def width(self) -> int:
        """The number of inputs."""
        return len(self.mean)

    def probability(self, x: Array) -> float:
        """P(label = 1), with the uncertainty of the weights taken in."""
        variance = float(x @ self.covariance @ x)
        return _sigmoid(float(self.mean @ x) / math.sqrt(1 + math.pi * variance / 8))

    def learn(self, x: Array, label: float, weight: float) -> None:
        """Move mean (n,) and covariance (n, n) by one lesson."""
        spread = self.covariance @ x  # (n,)
        variance = float(x @ spread)
        p = self.probability(x)
        curvature = max(1e-4, weight * p * (1 - p))
        shrink = 1 + curvature * variance
        self.covariance -= np.outer(spread, spread) * (curvature / shrink)
        self.mean += spread * (weight * (label - p) / shrink)

    def widen(self, width: int) -> None:
        """Add inputs with the unit prior, independent of the rest."""
        grown = np.eye(width)
        grown[: len(self.mean), : len(self.mean)] = self.covariance
        self.covariance = grown
        self.mean = np.concatenate([self.mean, np.zeros(width - len(self.mean))])

    def arrays(self) -> Mapping[str, Array]:
        """Mean and covariance."""
        return {"mean": self.mean, "covariance": self.covariance}


class AdamLogistic:
    """The mission's reference learner: one Adam step a lesson, with cosine warm restarts.

    Weights start at 0.01 times a unit Gaussian, the bias at -2: it distrusts the local model for long.
    """

    kind: Kind = "adam"
    rate, restart, decay_a_cycle = 1e-4, 1000, 0.95
    beta1, beta2, epsilon, weight_decay, clip = 0.9, 0.999, 1e-8, 1e-4, 1.0

    def __init__(self, width: int, arrays: Mapping[str, Array] | None = None) -> None:
        self.weight = 0.01 * _initial(0, width)
        self.bias = np.array([-2.0])
        self.first, self.second = np.zeros(width + 1), np.zeros(width + 1)
        self.step = np.zeros(1)
        for name, value in (arrays or {}).items():
            setattr(self, name, value)

    @property
    def width(self) -> int:
        """The number of inputs."""
        return len(self.weight)

    def probability(self, x: Array) -> float:
        """P(label = 1)."""
        return _sigmoid(float(self.weight @ x + self.bias[0]))

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

    def learning_rate(self) -> float:
        """1e-4 times 0.1 + 0.9 cosine over each cycle of 1000 lessons, and 0.95 a cycle."""
        cycle, place = divmod(self.step[0], self.restart)
        cosine = 0.5 * (1 + math.cos(math.pi * place / self.restart))
        return float(self.rate * self.decay_a_cycle**cycle * (0.1 + 0.9 * cosine))

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


@dataclass(slots=True)
class Head:
    """A learner with its place in the journal.

    Attributes:
        hand_width: Number of hand features.
        lessons: Lessons taken in.
        cursor: Id of the last lesson taken in; lessons after it are still to come.
        with_embedding: Lessons that had an embedding.
    """

    learner: Learner
    hand_width: int
    lessons: int = 0
    cursor: int = 0
    with_embedding: int = 0
    version: int = field(default=features.VERSION)

    @classmethod
    def fresh(cls, kind: Kind, hand_width: int) -> "Head":
        """A head that knows nothing."""
        return cls(_learner(kind, hand_width + 1), hand_width)

    @property
    def sees_embedding(self) -> bool:
        """Whether an embedding would change what it says."""
        return self.with_embedding > 0

    def probability(self, seen: Features) -> float:
        """P(good) for what is seen; 0.5 or less of confidence before the first lesson."""
        return self.learner.probability(self._input(seen))

    def learn(self, seen: Features, is_good: bool, weight: float, cursor: int) -> None:
        """Take in one lesson of the journal."""
        self.learner.learn(self._input(seen), float(is_good), weight)
        self.lessons += 1
        self.cursor = cursor
        self.with_embedding += seen.embedding is not None

    def _input(self, seen: Features) -> Array:
        """Hand features, bias, embedding: (hand + 1,) or (hand + 1 + 384,), as wide as the learner."""
        blocks: list[NDArray[Any]] = [HAND_SCALE * seen.hand, np.array([BIAS])]
        width = len(seen.hand) + 1 + (0 if seen.embedding is None else len(seen.embedding))
        known = self.learner.width
        if seen.embedding is not None:
            blocks.append(seen.embedding)
            if known < width:
                self.learner.widen(width)
        elif known > width:
            blocks.append(np.zeros(known - width))
        return np.concatenate(blocks).astype(np.float64)

    def save(self, file: Path) -> None:
        """Write the whole state under a temporary name, then put it in place."""
        buffer = io.BytesIO()
        numbers = [self.version, self.hand_width, self.lessons, self.cursor, self.with_embedding]
        state: dict[str, Any] = {"kind": np.array(self.learner.kind), "numbers": np.array(numbers)}
        np.savez(buffer, **state | dict(self.learner.arrays()))
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, buffer.getvalue())

    @classmethod
    def load(cls, file: Path, kind: Kind, hand_width: int) -> "Head":
        """Read a saved head.

        Raises:
            FileNotFoundError: There is none.
            WrongState: It is damaged, of another kind, or of other features.
        """
        data = io.BytesIO(file.read_bytes())  # numpy leaves a damaged file that it opened itself open
        try:
            with np.load(data, allow_pickle=False) as saved:
                state: dict[str, Any] = {name: saved[name] for name in saved.files}
            found = str(state.pop("kind"))
            version, width, *counts = (int(n) for n in state.pop("numbers"))
        except Exception as error:  # numpy and zipfile raise a dozen kinds on damaged files
            raise WrongState(f"{file} is damaged: {error}") from error
        if (found, version, width) != (kind, features.VERSION, hand_width):
            raise WrongState(f"{file} is a {found!r} head of feature version {version}")
        return cls(_learner(kind, hand_width + 1, state), hand_width, *counts)


def write_atomically(file: Path, data: bytes) -> None:
    """Replace a file so that a reader, or a crash, sees the old content or the new."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    with temporary.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _learner(kind: Kind, width: int, state: Mapping[str, Array] | None = None) -> Learner:
    if kind == "adam":
        return AdamLogistic(width, state)
    return BayesianLogistic(width, *(() if state is None else (state["mean"], state["covariance"])))


def _initial(start: int, stop: int) -> Array:
    """Weights from a fixed draw, so that two machines agree."""
    return np.random.default_rng(0).standard_normal(stop)[start:]


def _sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, z))))
