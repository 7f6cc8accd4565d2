"""How often the other side is asked too: every row of the design's table, and what a judge may add to it."""

import pytest

from shammah.policy import Forward, Local, Reason, Route, Thresholds
from shammah.rates import DEFAULT_RATES, SamplingRates
from shammah.sampling import judged_share, propensity
from shammah.topics import Topic

CONFIDENT = Local(Reason.LOCAL_CONFIDENT)
UNSURE = Forward(Reason.LOW_CONFIDENCE)


@pytest.mark.parametrize(
    ("count", "general", "architecture", "security"),
    [
        (0, 0.5, 1.0, 1.0),
        (99, 0.5, 1.0, 1.0),
        (100, 0.2, 0.6, 1.0),
        (499, 0.2, 0.6, 1.0),
        (500, 0.1, 0.3, 0.5),
        (1999, 0.1, 0.3, 0.5),
        (2000, 0.05, 0.15, 0.25),
        (1_000_000, 0.05, 0.15, 0.25),
    ],
)
def test_sampling_falls_with_the_count_and_rises_with_the_topic(
    count: int, general: float, architecture: float, security: float
) -> None:
    rates = [DEFAULT_RATES.at(count, topic) for topic in (Topic.GENERAL, Topic.ARCHITECTURE, Topic.SECURITY)]
    assert rates == pytest.approx([general, architecture, security])


@pytest.mark.parametrize("topic", [topic for topic in Topic if topic not in (Topic.ARCHITECTURE, Topic.SECURITY)])
def test_only_architecture_and_security_are_asked_about_more(topic: Topic) -> None:
    assert DEFAULT_RATES.at(600, topic) == 0.1


@pytest.mark.parametrize(
    ("count", "since_swap", "expected"),
    [(50, 1, 0.5), (300, 1, 0.2), (600, 1, 0.2), (600, 200, 0.2), (600, 201, 0.1), (5000, 7, 0.2), (5000, None, 0.05)],
)
def test_after_a_swap_a_fifth_is_sampled_at_least_for_200_questions(
    count: int, since_swap: int | None, expected: float
) -> None:
    assert DEFAULT_RATES.at(count, Topic.GENERAL, since_swap) == expected
    assert DEFAULT_RATES.at(count, Topic.SECURITY, since_swap) == min(1.0, 5 * expected)


@pytest.mark.parametrize(
    ("count", "since_swap", "expected"),
    [(0, None, 0.4), (100, None, 0.3), (500, None, 0.2), (2000, None, 0.1), (2000, 1, 0.6)],
)
def test_the_rates_that_a_user_sets_hold_in_their_phases(count: int, since_swap: int | None, expected: float) -> None:
    rates = SamplingRates(0.4, 0.3, 0.2, 0.1, after_swap=0.6, architecture_factor=2.0, security_factor=0.5)
    assert rates.at(count, Topic.GENERAL, since_swap) == expected
    assert rates.at(count, Topic.ARCHITECTURE, since_swap) == min(1.0, 2 * expected)
    assert rates.at(count, Topic.SECURITY, since_swap) == expected / 2


@pytest.mark.parametrize(
    ("route", "count", "topic", "expected"),
    [
        (Forward(Reason.COLD_START), 0, Topic.GENERAL, 1.0),
        (UNSURE, 199, Topic.GENERAL, 1.0),
        (UNSURE, 200, Topic.GENERAL, 0.2),
        (UNSURE, 500, Topic.SECURITY, 0.5),
        (CONFIDENT, 60, Topic.GENERAL, 0.5),
        (CONFIDENT, 199, Topic.GENERAL, 0.2),
        (CONFIDENT, 2000, Topic.ARCHITECTURE, 0.15),
    ],
)
def test_forwarded_questions_all_run_locally_up_to_200_and_then_at_the_rate(
    route: Route, count: int, topic: Topic, expected: float
) -> None:
    assert propensity(route, count, DEFAULT_RATES.at(count, topic)) == pytest.approx(expected)


def test_while_nothing_may_pass_the_local_model_runs_on_all_that_is_forwarded() -> None:
    assert propensity(UNSURE, 5000, 0.05, Thresholds(None)) == 1.0
    assert propensity(UNSURE, 5000, 0.05, Thresholds(0.7, 0.2)) == 0.05


def test_while_evidence_is_wanted_all_that_is_forwarded_is_compared_and_no_more_local_answers_are() -> None:
    wanting = Thresholds(0.4, 0.6, compares_all=True)
    assert propensity(UNSURE, 5000, 0.05, wanting) == 1.0
    assert propensity(Local(Reason.LOCAL_CONFIDENT), 5000, 0.05, wanting) == 0.05


@pytest.mark.parametrize(
    ("rate", "compared", "expected"),
    [
        (0.5, 1.0, 0.5),
        (0.2, 0.2, 1.0),
        (0.1, 0.2, 0.5),
        (0.2, 0.1, 1.0),
        (0.0, 1.0, 0.0),
        (0.0, 0.0, 0.0),
        (0.3, None, 0.3),
    ],
)
def test_a_judge_is_asked_about_no_more_than_the_rate_of_all_questions(
    rate: float, compared: float | None, expected: float
) -> None:
    assert judged_share(rate, compared) == pytest.approx(expected)
