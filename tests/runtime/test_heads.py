"""What a head adds to its learner: waves, forgetting after a swap, and the embedding's block."""

import math
from pathlib import Path

import numpy as np
import pytest

from shammah.features import EMBEDDING_WIDTH, Features
from shammah.heads import PLAIN, ROUTER, SWAP_KEPT, SWAP_LESSONS, VALIDATOR, Head
from shammah.learners import Kind
from tests.taught import HAND, KINDS, NARROW, draws, exact, features_of, taught

# The waves.


def test_products_of_waves_are_a_gaussian_of_the_distance() -> None:
    head, chance = Head.fresh("bayes", HAND), np.random.default_rng(0)
    gaps = []
    for _ in range(200):
        one, other = chance.normal(size=(2, HAND)).astype(np.float32)
        other = one + 0.5 * other
        distance = float(np.linalg.norm(one - other)) / math.sqrt(HAND)
        kernel = math.exp(-(distance**2) / (2 * ROUTER.wavelength**2))
        gaps.append(float(head._waves(one) @ head._waves(other)) - kernel)
    # 128 random directions: each product is off by less than 1 / sqrt(128) = 0.09 on average.
    assert abs(np.mean(gaps)) < 0.09
    assert np.std(gaps) < 0.09


def test_waves_tell_apart_what_no_straight_line_does() -> None:
    """Good where exactly one of two features is high: the waves learn it, the plain prior cannot."""
    said: dict[str, list[float]] = {"waves": [], "plain": []}
    for name, prior in (("waves", ROUTER), ("plain", PLAIN)):
        head, chance = Head.fresh("bayes", 2, prior), np.random.default_rng(1)
        for _ in range(300):
            hand = chance.choice([-1, 1], size=2).astype(np.float32)
            said[name].append(abs(head.probability(Features(hand)) - (hand[0] != hand[1])))
            head.learn(Features(hand), bool(hand[0] != hand[1]), 1.0, 0)
    assert np.mean(said["waves"][200:]) < 0.1
    assert np.mean(said["plain"][200:]) > 0.4


def test_a_validator_has_no_waves_and_the_reference_learner_neither() -> None:
    assert Head.fresh("bayes", 5, VALIDATOR).learner.width == Head.fresh("adam", 5).learner.width == 6


# A swap of adapters.


def after_swap(is_noted: bool) -> float:
    """P(good) of questions that were bad before a swap and are good after it, 100 lessons on."""
    head, chance = Head.fresh("bayes", 3, VALIDATOR), np.random.default_rng(2)
    seen = [Features(chance.normal(size=3).astype(np.float32)) for _ in range(500)]
    for x in seen[:400]:
        head.note_applied(1)
        head.learn(x, False, 1.0, 0)
    for x in seen[400:]:
        head.note_applied(2 if is_noted else 1)
        head.learn(x, True, 1.0, 0)
    return float(np.mean([head.probability(x) for x in seen]))


def test_a_noted_swap_lets_newer_lessons_count_for_more() -> None:
    assert after_swap(is_noted=True) > after_swap(is_noted=False) + 0.02  # 0.31 and 0.28


def test_forgetting_keeps_the_mean_and_mixes_the_precision_with_the_priors() -> None:
    learner = exact(6)
    for x, label, weight in draws(8, 50, 6):
        learner.learn(x, label, weight)
    mean, precision = learner.mean.copy(), np.linalg.inv(learner.covariance)
    learner.forget(0.25)
    np.testing.assert_array_equal(learner.mean, mean)
    np.testing.assert_allclose(np.linalg.inv(learner.covariance), 0.25 * precision + 0.75 * np.eye(6), atol=1e-9)


def test_forgetting_ends_with_the_lessons_after_a_swap(tmp_path: Path) -> None:
    assert SWAP_KEPT < 1
    head, x = Head.fresh("bayes", 3, VALIDATOR), Features(np.ones(3, dtype=np.float32))
    for applied in (1, 2):
        head.note_applied(applied)
        for _ in range(SWAP_LESSONS + 10):
            head.learn(x, True, 1.0, 0)
    assert head.since_swap == SWAP_LESSONS + 10
    head.save(tmp_path / "head.npz")
    read = Head.load(tmp_path / "head.npz", "bayes", 3, VALIDATOR)
    assert (read.since_swap, read.applied) == (head.since_swap, 2)
    before = read.learner.arrays()["covariance"].copy()
    for _ in range(60):
        read.learn(x, True, 1e-9, 0)
    assert (read.learner.arrays()["covariance"] <= before + 1e-6).all()


# The embedding's block.


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_that_learned_without_embeddings_says_the_same_for_a_zero_embedding(kind: Kind) -> None:
    head = taught(kind, has_embedding=False)
    hand = features_of(np.random.default_rng(9), False).hand
    before = head.probability(Features(hand))
    assert head.learner.width == NARROW[kind]
    after = head.probability(Features(hand, np.zeros(EMBEDDING_WIDTH, dtype=np.float32)))
    assert head.learner.width == NARROW[kind] + EMBEDDING_WIDTH
    assert after == pytest.approx(before, abs=1e-6)


def test_the_embeddings_block_starts_at_the_unit_prior_independent_of_the_rest() -> None:
    head = taught("bayes", has_embedding=False)
    known = dict(head.learner.arrays())
    head.probability(features_of(np.random.default_rng(9), True))
    grown, old = head.learner.arrays(), NARROW["bayes"]
    np.testing.assert_array_equal(grown["covariance"][old:, old:], np.eye(EMBEDDING_WIDTH))
    assert not grown["covariance"][:old, old:].any()
    assert not grown["covariance"][old:, :old].any()
    assert not grown["mean"][old:].any()
    np.testing.assert_array_equal(grown["covariance"][:old, :old], known["covariance"])
    np.testing.assert_array_equal(grown["mean"][:old], known["mean"])


def test_a_widened_adam_head_keeps_what_it_knew_and_starts_the_rest_with_empty_moments() -> None:
    head = taught("adam", has_embedding=False)
    known = dict(head.learner.arrays())
    head.probability(features_of(np.random.default_rng(9), True))
    grown, old = head.learner.arrays(), NARROW["adam"]
    np.testing.assert_array_equal(grown["weight"][:old], known["weight"])
    for name in ("first", "second"):
        np.testing.assert_array_equal(np.append(grown[name][:old], grown[name][-1]), known[name])
        assert not grown[name][old:-1].any()
    assert 0.005 < grown["weight"][old:].std() < 0.015


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_that_knows_embeddings_still_judges_without_one(kind: Kind) -> None:
    head = taught(kind)
    hand = features_of(np.random.default_rng(9), False).hand
    zero = np.zeros(EMBEDDING_WIDTH, dtype=np.float32)
    assert head.probability(Features(hand)) == head.probability(Features(hand, zero))


def test_a_head_sees_embeddings_from_the_first_lesson_that_had_one() -> None:
    head = taught("bayes", has_embedding=False)
    head.probability(features_of(np.random.default_rng(0), True))
    assert not head.sees_embedding
    head.learn(features_of(np.random.default_rng(0), True), True, 1.0, 99)
    assert head.sees_embedding
