"""The quality contract as a pure decision, and against streams whose truth is known."""

import numpy as np
import pytest

from shammah import contract
from shammah.contract import Evidence
from shammah.policy import Thresholds

NOTHING = Thresholds(None)


def drawn(
    count: int, seed: int, has_validator: bool = False, overconfidence: float = 1.0, propensity: float = 1.0
) -> list[Evidence]:
    """Judged answers of heads that tell the truth, or that are too sure by a factor of the log-odds."""
    chance = np.random.default_rng(seed)
    truth = chance.normal(2.0, 1.5, count)  # log-odds of a good answer
    bad = chance.random(count) > 1 / (1 + np.exp(-truth))
    said = 1 / (1 + np.exp(-overconfidence * truth))
    weak = 1 / (1 + np.exp(-0.5 * truth))
    return [
        Evidence(float(w if has_validator else s), float(s) if has_validator else None, bool(b), propensity)
        for s, w, b in zip(said, weak, bad, strict=True)
    ]


def bad_rate(evidence: list[Evidence], bars: Thresholds) -> tuple[float, float]:
    """Bad rate of what passes, and the share that does."""
    assert bars.router is not None
    passed = [e for e in evidence if e.router >= bars.router and (e.validator is None or e.validator >= bars.validator)]
    return sum(e.is_bad for e in passed) / max(1, len(passed)), len(passed) / len(evidence)


@pytest.mark.parametrize("count", [0, contract.LEAST - 1])
def test_without_evidence_everything_is_forwarded(count: int) -> None:
    standing = contract.decide([Evidence(0.99, 0.99, False)] * count, 0.3)
    assert standing.thresholds == NOTHING
    assert (standing.estimate, standing.bound, standing.judged) == (None, None, count)


def test_good_answers_let_everything_pass() -> None:
    standing = contract.decide([Evidence(0.9, 0.9, False)] * 300, 0.15)
    assert standing.thresholds == Thresholds(0.0, 0.0, compares_all=True)
    assert standing.bound is not None
    assert standing.bound <= 0.15


@pytest.mark.parametrize("rate", [0.05, 0.15, 0.3])
def test_bad_answers_let_nothing_pass(rate: float) -> None:
    assert contract.decide([Evidence(0.9, 0.9, True)] * 300, rate).thresholds == NOTHING


def test_a_rate_of_nothing_forwards_everything() -> None:
    assert contract.decide([Evidence(0.9, 0.9, False)] * 300, 0.0).thresholds == NOTHING


def test_more_allowed_bad_answers_never_mean_fewer_local_ones() -> None:
    evidence = drawn(400, seed=0)
    shares = [contract.decide(evidence, rate).share for rate in (0.05, 0.1, 0.15, 0.25)]
    assert shares == sorted(shares)
    assert shares[-1] > 0.5


def test_more_evidence_brings_the_bound_closer_to_the_estimate() -> None:
    few, many = (contract.decide(drawn(count, seed=1), 0.15) for count in (150, 900))
    gaps = [one.bound - one.estimate for one in (few, many) if one.bound is not None and one.estimate is not None]
    assert len(gaps) == 2
    assert gaps[1] < gaps[0]


def test_an_answer_judged_at_a_tenth_of_the_rate_stands_for_ten() -> None:
    rare = drawn(200, seed=2, propensity=0.1)
    common = [Evidence(0.5, None, True)] * 200  # what was always judged, and bad
    seldom = contract.decide([*common, *rare], 0.15).share
    equal = contract.decide([*common, *drawn(200, seed=2)], 0.15).share
    assert seldom > 1.5 * equal


def test_every_forwarded_question_is_compared_until_there_is_enough_evidence() -> None:
    little, much = (contract.decide(drawn(count, seed=5), 0.2).thresholds for count in (500, contract.ENOUGH))
    assert (little.compares_all, much.compares_all) == (True, False)
    assert None not in (little.router, much.router)


def test_where_there_is_a_validator_its_word_counts_and_not_the_routers() -> None:
    chance = np.random.default_rng(6)
    good, noise = chance.random(600), chance.random(600)
    told = [Evidence(n, v, bool(chance.random() > v)) for n, v in zip(noise.tolist(), good.tolist(), strict=True)]
    standing = contract.decide(told, 0.3)
    assert standing.thresholds.router == 0.0
    assert standing.thresholds.validator > 0.4
    assert standing.share >= contract.LEAST_SHARE_OF_PAIRS


def parted(count: int, seed: int, easy: float, bad_of_easy: float, said_bad: float | None = None) -> list[Evidence]:
    """A part of the questions that heads tell apart (and say so much bad of), beside a rest that is bad in half."""
    chance = np.random.default_rng(seed)
    is_easy = chance.random(count) < easy
    bad = chance.random(count) < np.where(is_easy, bad_of_easy, 0.5)
    of_easy = bad_of_easy + 0.02 if said_bad is None else said_bad
    said = np.clip(np.where(is_easy, 1 - of_easy, 0.5) + chance.normal(0, 0.02, count), 0.01, 0.99)
    return [Evidence(float(p), float(p), bool(b)) for p, b in zip(said, bad, strict=True)]


def test_a_small_part_passes_where_it_is_clearly_good() -> None:
    for seed in range(10):
        standing = contract.decide(parted(1000, seed, 0.15, 0.02), 0.15)
        assert 0.1 < standing.share < contract.LEAST_SHARE_OF_PAIRS, seed
        assert standing.bound is not None
        assert standing.bound <= 0.15


def test_a_small_part_does_not_pass_where_its_own_count_says_too_little() -> None:
    passing = [contract.decide(parted(200, seed, 0.15, 0.1), 0.15).share for seed in range(40)]
    assert sum(share > 0 for share in passing) <= 1, "about 30 answers, of which a tenth is bad, prove nothing"


def test_a_small_part_does_not_pass_on_the_heads_word_alone() -> None:
    """A curve of three parameters believes heads that are far too sure of their surest; their own count does not."""
    told = [contract.decide(parted(600, seed, 0.2, 0.11, said_bad=0.03), 0.15) for seed in range(20)]
    assert sum(one.share > 0 for one in told) <= 1
    assert contract.decide(parted(600, 0, 0.2, 0.01, said_bad=0.03), 0.15).share > 0.1


def test_the_more_passes_the_more_room_is_asked_for() -> None:
    """Of what passes little is judged: a curve that is too hopeful stays so for long."""
    evidence = drawn(600, seed=0, has_validator=True)
    standings = [contract.decide(evidence, rate) for rate in (0.1, 0.15, 0.2, 0.3)]
    shares = [one.share for one in standings if one.share]
    gaps = [one.bound - one.estimate for one in standings if one.bound is not None and one.estimate is not None]
    assert len(gaps) > 2
    assert (shares, gaps) == (sorted(shares), sorted(gaps))


def test_similarity_alone_is_told_from_judges() -> None:
    evidence = [Evidence(0.9, 0.9, False, is_certain=n % 3 == 0) for n in range(90)]
    standing = contract.decide(evidence, 0.15)
    assert (standing.judged, standing.certain) == (90, 30)


def test_labels_that_are_worth_little_prove_little() -> None:
    evidence = drawn(300, seed=3)
    doubted = [Evidence(e.router, e.validator, e.is_bad, trust=0.1) for e in evidence]
    assert contract.decide(doubted, 0.15).share < contract.decide(evidence, 0.15).share


def test_what_is_long_past_is_not_read() -> None:
    recent = drawn(contract.WINDOW, seed=4)
    assert contract.decide([*[Evidence(0.9, None, True)] * 500, *recent], 0.15) == contract.decide(recent, 0.15)


@pytest.mark.parametrize("has_validator", [False, True])
@pytest.mark.parametrize("overconfidence", [0.7, 1.0, 1.4])
def test_the_promise_holds_on_fresh_questions(has_validator: bool, overconfidence: float) -> None:
    broken = 0
    for seed in range(40):
        standing = contract.decide(drawn(300, seed, has_validator, overconfidence), 0.15)
        if standing.thresholds.router is not None:
            fresh = drawn(4000, 5000 + seed, has_validator, overconfidence)
            broken += bad_rate(fresh, standing.thresholds)[0] > 0.15
    assert broken <= 3, "fixed seeds; 5% of 40 is 2"
