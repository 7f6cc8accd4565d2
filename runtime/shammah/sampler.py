"""Which token comes next, and how probable the model found it."""

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shammah.errors import BadGrammar
from shammah.generation import Sampling

# Where a grammar refuses the best token, so many of the next best are asked before all are.
NEXT_BEST = 64
# A nucleus is looked for among so many of the likeliest tokens before all are sorted.
LIKELIEST = 512


class Powers(Protocol):
    """What sums the exponentials of a vocabulary's logits."""

    def sum(self, logits: NDArray[np.float32], shift: float) -> float:
        """The sum of exp(logits - shift); logits have shape (vocabulary,)."""


class Rules(Protocol):
    """What tells which tokens may come next."""

    def allows(self, tokens: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which of these tokens may come next, (tokens,)."""
        ...

    def accept(self, token: int) -> None:
        """Go on behind a token that may come next."""
        ...


class NumpyPowers:
    """exp(logits - shift) and their sum, by numpy."""

    def __init__(self, n_vocabulary: int) -> None:
        self._room = np.empty(n_vocabulary, dtype=np.float32)
        self._ones = np.ones(n_vocabulary, dtype=np.float32)

    def sum(self, logits: NDArray[np.float32], shift: float) -> float:
        """The sum of exp(logits - shift); logits have shape (vocabulary,)."""
        np.subtract(logits, np.float32(shift), out=self._room)
        np.exp(self._room, out=self._room)
        # A product with ones is BLAS's sum: a third of numpy's time over 13,000 tokens.
        return float(self._room.dot(self._ones))


class Sampler:
    """Chooses a token and says how probable the model found it, before any temperature and grammar."""

    def __init__(self, sampling: Sampling, powers: Powers, rules: Rules | None = None) -> None:
        self._temperature = sampling.temperature
        self._top_p = sampling.top_p if rules is None else 1.0  # a grammar narrows the choice enough
        # numpy.random takes 9 ms to import, and greedy answers never need it.
        self._random = np.random.default_rng(sampling.seed) if sampling.temperature > 0 else None
        self._powers = powers
        self._rules = rules

    def choose(self, logits: NDArray[np.float32]) -> tuple[int, float]:
        """The next token and its natural log-probability; logits have shape (vocabulary,).

        Raises:
            BadGrammar: No token of the vocabulary may come next.
        """
        token = int(logits.argmax())
        best = float(logits[token])
        log_total = best + math.log(self._powers.sum(logits, best))  # shifted by the best: no power overflows
        scores: NDArray[np.floating] = logits
        if self._random is not None:
            # Gumbel's trick: the argmax of noisy logits is a draw from their softmax.
            scores = _nucleus(logits / self._temperature, self._top_p) + self._random.gumbel(size=logits.shape)
            token = int(scores.argmax())
        if self._rules is not None:
            token = _best_allowed(scores, token, self._rules)
        return token, float(logits[token]) - log_total


def _nucleus(scores: NDArray[np.floating], top_p: float) -> NDArray[np.floating]:
    """The scores of the likeliest tokens that together have a share of all; minus infinity for the others."""
    if top_p >= 1:
        return scores
    powers = np.exp(scores - scores.max())
    wanted, count = top_p * float(powers.sum()), min(LIKELIEST, len(scores))
    likely = np.argpartition(powers, len(scores) - count)[-count:]
    if float(powers[likely].sum()) < wanted:
        likely = np.arange(len(scores))
    likely = likely[np.argsort(-powers[likely])]
    kept = likely[: int(np.searchsorted(np.cumsum(powers[likely]), wanted)) + 1]
    narrowed = np.full_like(scores, -np.inf)
    narrowed[kept] = scores[kept]
    return narrowed


def _best_allowed(scores: NDArray[np.floating], best: int, rules: Rules) -> int:
    """The highest of the scores that the rules allow: among noisy ones that is a draw from the allowed tokens.

    A grammar takes microseconds for a token and tens of milliseconds for a vocabulary.

    Raises:
        BadGrammar: They allow none.
    """
    if rules.allows(np.array([best], np.int32))[0]:
        return best
    count = min(NEXT_BEST, len(scores))
    likely = np.argpartition(scores, len(scores) - count)[-count:].astype(np.int32)
    for tokens in (likely, np.arange(len(scores), dtype=np.int32)):
        allowed = tokens[rules.allows(tokens)]
        if len(allowed):
            return int(allowed[scores[allowed].argmax()])
    raise BadGrammar("no token of this model goes on with the grammar")
