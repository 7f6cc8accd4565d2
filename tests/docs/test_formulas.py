"""The formulas of "How it learns" are those of the code: computed a second time, as they stand there."""

import math
import re
from math import comb

import numpy as np
import pytest
import torch

from shammah import contract, gate, watching
from shammah.contract import Evidence
from shammah.features import Features
from shammah.forest import Forest
from shammah.heads import Head, Prior
from shammah.learners import BayesianLogistic
from shammah.records.adapters import Counts, Judged
from shammah_convert import intervals
from shammah_convert.job import MOST_DRIFT, Change, Confirmed, Measure, Move, Plan, Report, Score
from shammah_trainer.dataset import draw
from tests.docs.pages import ROOT
from tests.docs.test_links import found

PAGE = ROOT / "docs" / "how-it-learns.md"
FORMULAS = PAGE.read_text("utf-8").partition("\n## The formulas\n")[2]


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def test_each_constant_is_the_codes() -> None:
    rows = re.findall(r"^\| [^|]+ \| ([\d., ]+) \| (`.*`) \|$", FORMULAS, re.MULTILINE)
    assert len(rows) > 20
    for values, places in rows:
        said = [float(value) for value in values.split(",")]
        assert said == [float(found(place)) for place in re.findall(r"`([^`]+)`", places)], places


def test_a_lesson_moves_the_weights_by_one_laplace_step() -> None:
    chance = np.random.default_rng(0)
    head, m, s_matrix = BayesianLogistic(4), np.zeros(4), np.eye(4)
    for _ in range(20):
        x, y, c = chance.normal(size=4), float(chance.random() < 0.5), float(chance.choice([0.1, 0.5, 1.0]))
        s = x @ s_matrix @ x
        p = sigmoid(float(m @ x) / math.sqrt(1 + math.pi * s / 8))
        assert head.probability(x.astype(np.float32)) == pytest.approx(p, abs=1e-5)
        h = max(0.0001, c * p * (1 - p))
        m = m + s_matrix @ x * c * (y - p) / (1 + h * s)
        s_matrix = s_matrix - np.outer(s_matrix @ x, s_matrix @ x) * h / (1 + h * s)
        head.learn(x.astype(np.float32), y, c)
    np.testing.assert_allclose(head.mean, m, atol=1e-5)
    np.testing.assert_allclose(head.covariance, s_matrix, atol=1e-5)


def test_a_validator_says_the_mean_of_its_lines_and_its_trees_log_odds() -> None:
    chance = np.random.default_rng(4)
    head = Head.fresh("bayes", 6, Prior(hand=0.5, embedding=0.33, trees=20, trees_from=2))
    rows = [Features(chance.normal(size=6).astype(np.float32)) for _ in range(100)]
    lessons = [head.learn(row, bool(row.hand[3] > 0), 1.0, 0) for row in rows]
    line = [head.probability(row) for row in rows]
    head.grow(lessons)
    forest = head.forest
    assert forest is not None
    for row, p in zip(rows[:10], line, strict=False):
        shares = [forest.value[_leaf(forest, root, row.hand[2:])] for root in forest.roots]
        q = float(np.mean(shares))
        expected = sigmoid((math.log(p / (1 - p)) + math.log(q / (1 - q))) / 2)
        assert head.probability(row) == pytest.approx(expected, abs=1e-6)


def _leaf(forest: Forest, place: int, x: np.ndarray) -> int:
    """Where an input ends in the tree that begins at a place."""
    while forest.child[place] != place:
        place = forest.child[place] + (x[forest.feature[place]] > forest.bar[place])
    return place


def test_the_contracts_bound_is_the_estimate_and_deviations_of_curve_and_luck() -> None:
    chance = np.random.default_rng(1)
    good = chance.normal(2.0, 1.5, 300)
    bad = chance.random(300) > 1 / (1 + np.exp(-good))
    rows = [
        Evidence(sigmoid(z / 2), sigmoid(z), bool(b), float(chance.choice([0.2, 0.5, 1.0])))
        for z, b in zip(good, bad, strict=True)
    ]
    standing = contract.decide(rows, 0.2)
    assert standing.estimate is not None
    assert standing.bound is not None
    bars = (standing.thresholds.router or 0, standing.thresholds.validator)
    seen = np.array([one.propensity for one in rows])
    recency = 2.0 ** (-np.arange(300)[::-1] / 2000)
    u = recency / seen
    x, start = _inputs(rows, u)
    b, covariance = _posterior(x, bad.astype(float), recency, start)
    p = 1 / (1 + np.exp(-x @ b))
    a = np.array([one.router >= bars[0] and (one.validator or 0) >= bars[1] for one in rows])
    e, s = (u * p)[a].sum() / u[a].sum(), u[a].sum() / u.sum()
    g = ((u * p * (1 - p))[:, None] * x)[a].sum(axis=0) / u[a].sum()
    luck = (u * p * (1 - p))[a].sum() / u[a].sum() / max(1.0, 6 * (1 / seen).sum() * s)
    z = 0.77 / (1 - 0.9 * s)
    bound = e + math.sqrt(z**2 * (g @ covariance @ g) + 0.77**2 * luck)
    assert [standing.estimate, standing.share, standing.bound] == pytest.approx([e, s, bound])
    assert standing.bound <= 0.2
    assert s >= 0.45


def _inputs(rows: list[Evidence], u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The inputs (1, V - logit v, R - logit r), and the prior's mean (-V, 1.1, 0)."""
    router, validator = (
        np.array([math.log(q / (1 - q)) for q in side])
        for side in ([one.router for one in rows], [one.validator or 0.5 for one in rows])
    )
    middle, beside = (u * validator).sum() / u.sum(), (u * router).sum() / u.sum()
    return np.stack([np.ones(len(rows)), middle - validator, beside - router], axis=1), np.array([-middle, 1.1, 0.0])


def _posterior(x: np.ndarray, y: np.ndarray, weight: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Laplace's approximation by many small steps of plain Newton."""
    prior = np.diag(1 / np.array([1.0, 0.1, 0.1]) ** 2)
    b = start.copy()
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ b))
        curvature = (x.T * (weight * p * (1 - p))) @ x + prior
        b = b - np.linalg.solve(curvature, x.T @ (weight * (p - y)) + prior @ (b - start))
    return b, np.linalg.inv(curvature)


def test_an_example_is_drawn_by_its_weight() -> None:
    drawn = draw([10.0, 3.0, 1.0], 20_000, torch.Generator().manual_seed(0))
    shares = np.bincount(drawn, minlength=3) / len(drawn)
    np.testing.assert_allclose(shares, np.array([10, 3, 1]) / 14, atol=0.01)


def report(learnt: tuple[float, float], general: tuple[float, float], drift: float, confirmed: int = 1) -> Report:
    changes = [Change(Score(9, before, 0), Score(9, after, 9)) for before, after in (learnt, general)]
    moved = Move(Measure(), Measure(drift))
    told = Confirmed(1, confirmed)
    types = ("F16",)
    return Report(changes[0], Change(), 1, 1, 1.0, "", (), types, general=changes[1], drift=moved, confirmed=told)


@pytest.mark.parametrize("learnt", [(2.0, 1.9), (2.0, 2.0)])
@pytest.mark.parametrize("general", [(0.5, 0.519), (0.5, 0.521), (3.0, 3.05), (3.0, 3.07)])
@pytest.mark.parametrize("drift", [0.049, 0.051])
@pytest.mark.parametrize("confirmed", [0, 1])
def test_the_gate_is_what_the_page_says(
    learnt: tuple[float, float], general: tuple[float, float], drift: float, confirmed: int
) -> None:
    allowed = (
        learnt[1] < learnt[0]
        and general[1] <= general[0] + 0.02 * max(1, general[0])
        and drift <= MOST_DRIFT
        and confirmed > 0
    )
    assert (not gate.objections(report(learnt, general, drift, confirmed))) == allowed


def test_a_share_has_wilsons_interval_and_a_loss_that_of_its_rows() -> None:
    q, n, z = 0.7, 10, 1.959964
    middle, half = q + z**2 / (2 * n), z * math.sqrt(q * (1 - q) / n + z**2 / (4 * n**2))
    share = intervals.of_share(7, 10)
    shrink = 1 + z**2 / n
    assert [share.low, share.high] == pytest.approx([(middle - half) / shrink, (middle + half) / shrink])
    nats, tokens = [3.0, 1.0, 8.0], [4.0, 2.0, 5.0]
    r, k = sum(nats) / sum(tokens), 3
    spread = z * math.sqrt(k / (k - 1) * sum((t - r * n) ** 2 for t, n in zip(nats, tokens, strict=True))) / sum(tokens)
    loss = intervals.of_ratio(nats, tokens)
    assert loss is not None
    assert [loss.low, loss.high] == pytest.approx([r - spread, r + spread])


def test_the_watch_counts_the_ways_in_which_bad_answers_fall() -> None:
    b, n, a, k = 9, 60, 25, 8
    chance = sum(comb(b, j) * comb(n - b, a - j) for j in range(k, min(a, b) + 1)) / comb(n, a)
    judged = [Judged(Counts(b - k, n - a), Counts(k, a))]
    assert watching.p_value(judged) == pytest.approx(chance)
    assert watching.rose(judged) == (a >= 20 and chance <= 0.01)


def test_alpha_is_twice_the_rank_whatever_that_is() -> None:
    for rank in (16, 8, 3):
        plan = Plan().with_rank(rank)
        assert plan.alpha / plan.rank == 2
