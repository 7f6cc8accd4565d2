"""The quality contract, from values alone: which local answers may be given, so that few of them are bad.

The evidence is local answers that were compared with the teacher's. A logistic curve over both heads' log-odds says how
probably an answer is bad; a candidate pair of thresholds is allowed where the upper bound of the mean of that curve,
over what the pair accepts, stays below what the user allows. The curve has three parameters however many pairs are
tried, so the best of many pairs is hardly more optimistic than one of them (docs/how-it-decides.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shammah.policy import Thresholds

Array = NDArray[np.float64]

PRESETS = {"strict": 0.05, "balanced": 0.15, "relaxed": 0.30}
WINDOW = 2000
"""So many of the newest judged answers count."""
LEAST = 30
"""With less evidence than this, everything is forwarded."""
ENOUGH = WINDOW
"""Until so many answers are judged, every forwarded question is compared: that takes no call of the teacher's."""
HALF_LIFE = 2000.0
"""In judged answers."""
DEVIATIONS = 0.77
"""Between estimate and bound, of an answer that is judged (`_doubted` says how they grow): chosen, as what follows, by
simulation (bench/contract.py) on seeds that are not reported."""
JUDGED = 0.1
"""Of what passes, the part that is judged: the rate of sampling up to question 2,000."""
# The bound covers the luck of the answers ahead, so many times the questions seen so far.
HORIZON = 6.0
# Of what was seen itself: so many standard errors above the allowed rate contradict the curve.
SLACK = 1.0
LEAST_SHARE, LEAST_SHARE_OF_PAIRS = 0.33, 0.45
"""Where fewer would pass, luck and choice decide whether the promise is kept: of many pairs of thresholds, some corner
always looks good."""
FEW_DEVIATIONS = 3.5
"""Fewer may pass for all that where so many deviations say so, both of the curve and of what was seen of just them."""
# How far the heads' log-odds, about their mean, are believed: a line that learns online is somewhat too sure of its
# extremes, its mean with trees is not, and the validator sees all that the router sees. Then how far intercept and
# slopes may go from there: how many are bad in all, the evidence says.
ROUTER_BELIEF, VALIDATOR_BELIEF = 0.85, 1.1
PRIOR_DEVIATION = (1.0, 0.1, 0.1)
ROUTER_SHARES = (0.0, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85)
VALIDATOR_STEPS = 40
_NEWTON_STEPS = 6


@dataclass(frozen=True, slots=True)
class Evidence:
    """A local answer that was judged.

    Attributes:
        router: P(a local answer will do), as it was said before anyone answered.
        validator: P(the answer is good), as it was said before it was judged; None where there is no validator.
        propensity: The probability with which it came to be judged.
        trust: What the label is worth, 1 for a person's or a judge's.
        is_certain: Whether a person or a judge said so, and no measure of similarity.
    """

    router: float
    validator: float | None
    is_bad: bool
    propensity: float = 1.0
    trust: float = 1.0
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class Standing:
    """What the contract says now.

    Attributes:
        thresholds: From which both heads let a local answer pass.
        estimate: Expected bad rate among the answers that pass; None where none do.
        bound: Its upper confidence bound.
        share: Of the questions seen lately, the part whose local answer passes.
        judged: Number of judged answers that this rests on.
        certain: Of them, judged by a person or a judge.
    """

    thresholds: Thresholds
    estimate: float | None
    bound: float | None
    share: float
    judged: int
    certain: int


@dataclass(frozen=True, slots=True)
class _Curve:
    """P(bad) of each judged answer, with how far the curve itself may be off.

    Attributes:
        inputs: One, and both heads' log-odds of bad about their means, (n, 3).
        covariance: Of the curve's parameters, (3, 3).
    """

    inputs: Array
    p_bad: Array
    covariance: Array


def decide(evidence: Sequence[Evidence], max_bad_rate: float) -> Standing:
    """Choose both thresholds, so that as few questions as possible go to the teacher.

    Args:
        evidence: Judged local answers, oldest first.
        max_bad_rate: How many of the answers that pass may be worse than the teacher's.
    """
    rows = list(evidence)[-WINDOW:]
    certain = sum(one.is_certain for one in rows)
    nothing = Standing(Thresholds(None), None, None, 0.0, len(rows), certain)
    if len(rows) < LEAST:
        return nothing
    recency = 0.5 ** (np.arange(len(rows))[::-1] / HALF_LIFE)
    bad = np.array([one.is_bad for one in rows], dtype=float)
    questions = 1 / np.array([max(0.01, one.propensity) for one in rows])  # that each stands for
    curve = _fit(rows, bad, recency * np.array([one.trust for one in rows]), recency * questions)
    pairs = _pairs(rows)
    least = LEAST_SHARE if any(one.validator is None for one in rows) else LEAST_SHARE_OF_PAIRS
    estimate, bound, share, seen = _measure(rows, pairs, curve, bad, recency * questions, float(questions.sum()), least)
    allowed = (bound <= max_bad_rate) & (seen <= max_bad_rate)
    if not allowed.any():
        return nothing
    best = int(np.argmax(np.where(allowed, share, -1.0)))
    bars = Thresholds(float(pairs[best, 0]), float(pairs[best, 1]), compares_all=len(rows) < ENOUGH)
    expected, at_most, passing = (float(column[best]) for column in (estimate, bound, share))
    return Standing(bars, expected, at_most, passing, len(rows), certain)


def _fit(rows: Sequence[Evidence], bad: Array, worth: Array, population: Array) -> _Curve:
    """The curve of these answers; the router stands in where an answer has no validator."""
    router = _log_odds(np.array([one.router for one in rows]))
    if any(one.validator is None for one in rows):
        believed, belief, other = router, ROUTER_BELIEF, np.zeros(len(rows))
    else:
        validator = _log_odds(np.array([one.validator for one in rows], dtype=float))
        believed, belief, other = validator, VALIDATOR_BELIEF, router
    middle, beside = np.average(believed, weights=population), np.average(other, weights=population)
    inputs = np.stack([np.ones(len(rows)), middle - believed, beside - other], axis=1)
    return _curve(inputs, bad, worth, np.array([-middle, belief, 0.0]))


def _log_odds(p: Array) -> Array:
    held = np.clip(p, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(held / (1 - held)), dtype=np.float64)


def _curve(inputs: Array, bad: Array, weights: Array, start: Array) -> _Curve:
    """The logistic curve with the largest posterior, by Newton's steps from its prior, and Laplace's covariance."""
    precision = np.diag(1 / np.array(PRIOR_DEVIATION) ** 2)
    mean, covariance = start, precision
    for _ in range(_NEWTON_STEPS):
        p = _sigmoid(inputs @ mean)
        slope = inputs.T @ (weights * (p - bad)) + precision @ (mean - start)
        curvature: Array = (inputs.T * (weights * p * (1 - p))) @ inputs + precision
        covariance = np.asarray(np.linalg.inv(curvature), dtype=np.float64)
        mean = mean - covariance @ slope
    return _Curve(inputs, _sigmoid(inputs @ mean), covariance)


def _sigmoid(z: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -30, 30))), dtype=np.float64)


def _pairs(rows: Sequence[Evidence]) -> Array:
    """Candidate thresholds of router and validator, (pairs, 2), at quantiles of what was seen."""
    routers = np.array([one.router for one in rows])
    steps = np.arange(VALIDATOR_STEPS) / VALIDATOR_STEPS
    validators = [one.validator for one in rows if one.validator is not None]
    if len(validators) < len(rows):
        return np.array([[value, 0.0] for value in _quantiles(routers, steps)])
    firsts = _quantiles(routers, np.array(ROUTER_SHARES))
    seconds = _quantiles(np.array(validators), steps)
    return np.array([[first, second] for first in firsts for second in seconds])


def _quantiles(values: Array, shares: Array) -> Array:
    """Values that leave a share below; none at all for the share 0."""
    found = np.asarray(np.quantile(values, shares), dtype=np.float64)
    found[shares == 0] = 0.0
    return found


def _measure(
    rows: Sequence[Evidence], pairs: Array, curve: _Curve, bad: Array, population: Array, questions: float, least: float
) -> tuple[Array, Array, Array, Array]:
    """For each pair: expected bad rate, its upper bound, the share that passes, and what was seen, less its error.

    Of less than the share `least`, the bound is the worse one of the curve and of their own count.
    """
    router = np.array([one.router for one in rows])
    validator = np.array([1.0 if one.validator is None else one.validator for one in rows])
    passes = ((router >= pairs[:, :1]) & (validator >= pairs[:, 1:])).astype(np.float64)  # (pairs, n)
    weight = passes @ population
    part = np.where(weight > 0, weight, 1.0)
    spread = curve.p_bad * (1 - curve.p_bad)
    estimate = passes @ (population * curve.p_bad) / part
    gradient = passes @ (population[:, None] * spread[:, None] * curve.inputs) / part[:, None]  # (pairs, 3)
    share = weight / population.sum()
    doubt = np.einsum("ki,ij,kj->k", gradient, curve.covariance, gradient)
    luck = passes @ (population * spread) / part / np.maximum(1.0, HORIZON * questions * share)
    bound = np.where(weight > 0, estimate + _doubted(share, doubt, luck, share < least), 1.0)
    seen = passes @ (population * bad) / part
    counted = part**2 / np.maximum(passes @ population**2, 1e-12)  # as many of equal weight say as much
    error = np.sqrt(seen * (1 - seen) / counted)
    at_most = (seen * counted + 1) / (counted + 2)
    at_most += FEW_DEVIATIONS * np.sqrt(at_most * (1 - at_most) / counted)
    bound = np.minimum(1.0, np.where(share < least, np.maximum(bound, at_most), bound))
    return estimate, bound, share, seen - SLACK * error


def _doubted(share: Array, doubt: Array, luck: Array, is_few: NDArray[np.bool_]) -> Array:
    """How far the bad rate may lie above its estimate: the curve's variance, and that of the answers ahead.

    What passes is judged at a low rate, what is forwarded always is: the more passes, the less is learnt, and the
    longer a curve that is too hopeful stays so. Its deviations count by one over the part that will be judged.
    """
    deviations = DEVIATIONS / (1 - share + JUDGED * share)
    of_curve = np.where(is_few, np.maximum(FEW_DEVIATIONS, deviations), deviations)
    of_luck = np.where(is_few, FEW_DEVIATIONS, DEVIATIONS)
    return np.asarray(np.sqrt(of_curve**2 * doubt + of_luck**2 * luck), dtype=np.float64)
