"""Who answers: every row of the design's tables."""

from dataclasses import replace

import pytest

from shammah import policy
from shammah.errors import (
    BudgetReached,
    ContextTooLong,
    KeyMissing,
    ModelMissing,
    NothingVerified,
    ShammahError,
    UsageError,
)
from shammah.policy import Draft, Forward, Limits, Local, Reason, Route, Side, Thresholds
from shammah.topics import Topic

READY = Limits(has_key=True)
NO_KEY = Limits()
OFFLINE = Limits(is_offline=True, has_key=True)
NO_BUDGET = Limits(has_key=True, has_budget=False)
FORCED_LOCAL = Limits(forced=Side.LOCAL, has_key=True)
FORCED_TEACHER = Limits(forced=Side.TEACHER, has_key=True)
SURE, UNSURE = 1.0, 0.0

ROUTES: list[tuple[float, int, Limits, Route]] = [
    # Phase one forwards whatever the router says.
    (SURE, 0, READY, Forward(Reason.COLD_START)),
    (SURE, 49, READY, Forward(Reason.COLD_START)),
    # Phase two wants 0.95.
    (0.95, 50, READY, Local(Reason.LOCAL_CONFIDENT)),
    (0.9499, 50, READY, Forward(Reason.LOW_CONFIDENCE)),
    (0.95, 199, READY, Local(Reason.LOCAL_CONFIDENT)),
    (0.9499, 199, READY, Forward(Reason.LOW_CONFIDENCE)),
    # Phase three wants 0.5.
    (0.5, 200, READY, Local(Reason.LOCAL_CONFIDENT)),
    (0.4999, 200, READY, Forward(Reason.LOW_CONFIDENCE)),
    (0.5, 1_000_000, READY, Local(Reason.LOCAL_CONFIDENT)),
    # What never leaves comes before all else, then what a user forces.
    (UNSURE, 0, Limits(has_key=True, is_private=True), Local(Reason.PRIVATE)),
    (SURE, 1000, Limits(forced=Side.LOCAL, is_offline=True, is_private=True), Local(Reason.PRIVATE)),
    (UNSURE, 0, FORCED_LOCAL, Local(Reason.FORCED)),
    (UNSURE, 1000, FORCED_LOCAL, Local(Reason.FORCED)),
    (SURE, 0, FORCED_TEACHER, Forward(Reason.FORCED)),
    (SURE, 1000, FORCED_TEACHER, Forward(Reason.FORCED)),
    (SURE, 1000, Limits(Side.TEACHER, has_key=True, local_is_ready=False), Forward(Reason.FORCED)),
    (UNSURE, 0, Limits(forced=Side.LOCAL, is_offline=True), Local(Reason.FORCED)),
    # Without a teacher the local model answers, in every phase; the first obstacle is the reason.
    (UNSURE, 0, OFFLINE, Local(Reason.OFFLINE)),
    (UNSURE, 1000, OFFLINE, Local(Reason.OFFLINE)),
    (UNSURE, 0, Limits(is_offline=True, has_budget=False), Local(Reason.OFFLINE)),
    (UNSURE, 0, NO_KEY, Local(Reason.NO_KEY)),
    (UNSURE, 0, Limits(has_budget=False), Local(Reason.NO_KEY)),
    (UNSURE, 0, NO_BUDGET, Local(Reason.BUDGET)),
    (UNSURE, 1000, NO_BUDGET, Local(Reason.BUDGET)),
    # What the local model cannot take goes to the teacher.
    (SURE, 0, Limits(has_key=True, local_is_ready=False), Forward(Reason.MODEL_NOT_READY)),
    (SURE, 1000, Limits(has_key=True, local_is_ready=False), Forward(Reason.MODEL_NOT_READY)),
    (SURE, 1000, Limits(has_key=True, prompt_fits=False), Forward(Reason.CONTEXT_TOO_LONG)),
    # Verified answers are judged after the draft, not before.
    (SURE, 1000, Limits(has_key=True, wants_verified=True), Local(Reason.LOCAL_CONFIDENT)),
]


@pytest.mark.parametrize(("p_local", "count", "limits", "expected"), ROUTES)
def test_a_question_takes_the_route_of_the_table(p_local: float, count: int, limits: Limits, expected: Route) -> None:
    assert policy.route(p_local, count, limits) == expected


@pytest.mark.parametrize("limits", [OFFLINE, NO_KEY, NO_BUDGET, FORCED_LOCAL])
def test_without_teacher_and_local_model_nobody_can_answer(limits: Limits) -> None:
    with pytest.raises(ModelMissing):
        policy.route(SURE, 1000, replace(limits, local_is_ready=False))


@pytest.mark.parametrize("limits", [OFFLINE, NO_KEY, NO_BUDGET, FORCED_LOCAL])
def test_a_prompt_that_fits_nowhere_is_refused(limits: Limits) -> None:
    with pytest.raises(ContextTooLong):
        policy.route(SURE, 1000, replace(limits, prompt_fits=False))


CONFIDENT = Local(Reason.LOCAL_CONFIDENT)
VERIFIED = Limits(has_key=True, wants_verified=True)

REVIEWS: list[tuple[float, bool, Local, int, Limits, Route]] = [
    (0.5, True, CONFIDENT, 200, READY, CONFIDENT),
    (0.5, True, CONFIDENT, 50, READY, CONFIDENT),
    (0.4999, True, CONFIDENT, 200, READY, Forward(Reason.REJECTED_DRAFT)),
    (SURE, False, CONFIDENT, 200, READY, Forward(Reason.REJECTED_DRAFT)),
    (0.5, True, CONFIDENT, 200, VERIFIED, CONFIDENT),
    (0.4999, True, CONFIDENT, 200, VERIFIED, Forward(Reason.REJECTED_DRAFT)),
    # Where nobody else can answer, the draft stays, good or bad.
    (UNSURE, True, Local(Reason.FORCED), 200, FORCED_LOCAL, Local(Reason.FORCED)),
    (UNSURE, False, Local(Reason.OFFLINE), 200, OFFLINE, Local(Reason.OFFLINE)),
    (UNSURE, True, Local(Reason.NO_KEY), 200, NO_KEY, Local(Reason.NO_KEY)),
    (UNSURE, True, Local(Reason.BUDGET), 200, NO_BUDGET, Local(Reason.BUDGET)),
    # A verified answer needs no teacher where the validator vouches for the draft.
    (SURE, True, Local(Reason.OFFLINE), 50, Limits(is_offline=True, wants_verified=True), Local(Reason.OFFLINE)),
]


@pytest.mark.parametrize(("p_good", "is_whole", "chosen", "count", "limits", "expected"), REVIEWS)
def test_a_draft_is_reviewed_by_the_table(
    p_good: float, is_whole: bool, chosen: Local, count: int, limits: Limits, expected: Route
) -> None:
    assert policy.review(p_good, is_whole, chosen, count, limits) == expected


UNVERIFIED: list[tuple[float, bool, int, Limits, type[ShammahError]]] = [
    (0.4999, True, 200, Limits(is_offline=True, wants_verified=True), NothingVerified),
    (SURE, False, 200, Limits(is_offline=True, wants_verified=True), NothingVerified),
    (SURE, True, 49, Limits(wants_verified=True), NothingVerified),  # the validator has no say yet
    (UNSURE, True, 200, Limits(forced=Side.LOCAL, has_key=True, wants_verified=True), NothingVerified),
    (UNSURE, True, 200, Limits(has_key=True, has_budget=False, wants_verified=True), BudgetReached),
]


@pytest.mark.parametrize(("p_good", "is_whole", "count", "limits", "error"), UNVERIFIED)
def test_a_verified_answer_that_nobody_vouches_for_is_an_error(
    p_good: float, is_whole: bool, count: int, limits: Limits, error: type[ShammahError]
) -> None:
    with pytest.raises(error):
        policy.review(p_good, is_whole, Local(Reason.OFFLINE), count, limits)


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        (Limits(forced=Side.TEACHER, is_offline=True, has_key=True), UsageError),
        (Limits(forced=Side.TEACHER, is_offline=True, has_budget=False), UsageError),
        (Limits(forced=Side.TEACHER), KeyMissing),
        (Limits(forced=Side.TEACHER, has_budget=False), KeyMissing),
        (Limits(forced=Side.TEACHER, has_key=True, has_budget=False), BudgetReached),
    ],
)
def test_a_forced_teacher_out_of_reach_is_refused_by_its_first_obstacle(
    limits: Limits, error: type[ShammahError]
) -> None:
    with pytest.raises(error):
        policy.check_teacher(limits)


def test_a_forced_teacher_within_reach_is_let_through() -> None:
    policy.check_teacher(FORCED_TEACHER)


def test_the_tables_know_every_reason() -> None:
    in_tables = {row[-1].reason for row in ROUTES} | {row[-1].reason for row in REVIEWS}
    # These are found out later, by the assistant and by the worker.
    assert in_tables | {Reason.TEACHER_FAILED, Reason.LOCAL_FAILED, Reason.SAMPLED} == set(Reason)


@pytest.mark.parametrize(
    ("limits", "is_counted"),
    [
        (READY, True),
        (VERIFIED, True),
        (Limits(has_key=True, local_is_ready=False), True),
        (FORCED_LOCAL, False),
        (FORCED_TEACHER, False),
        (OFFLINE, False),
        (NO_KEY, False),
        (NO_BUDGET, False),
    ],
)
def test_only_unforced_questions_with_a_teacher_are_counted(limits: Limits, is_counted: bool) -> None:
    assert limits.is_counted is is_counted


@pytest.mark.parametrize(("count", "bar"), [(0, None), (49, None), (50, 0.95), (199, 0.95), (200, 0.5), (10_000, 0.5)])
def test_the_threshold_follows_the_phases(count: int, bar: float | None) -> None:
    assert policy.threshold(count) == bar


@pytest.mark.parametrize(
    ("count", "limits", "expected"),
    [(49, READY, False), (50, READY, True), (500, OFFLINE, False), (500, NO_BUDGET, False), (500, FORCED_LOCAL, False)],
)
def test_a_draft_is_stopped_early_only_where_a_teacher_answers_instead(
    count: int, limits: Limits, expected: bool
) -> None:
    assert policy.may_stop_early(count, limits) is expected


SUM = Draft(Topic.MATH, 20, is_whole=True)


@pytest.mark.parametrize(
    ("p_good", "draft", "count", "limits", "expected"),
    [
        (0.49, SUM, 200, READY, True),
        (0.36, replace(SUM, tokens=160), 200, READY, True),
        (0.34, SUM, 200, READY, False),  # decided
        (0.49, replace(SUM, tokens=161), 200, READY, False),  # too long
        (0.49, replace(SUM, is_whole=False), 200, READY, False),  # cut
        (0.49, replace(SUM, topic=Topic.CODE), 200, READY, False),  # it would tell nothing
        (0.49, SUM, 49, READY, False),  # the validator has no say yet
        (0.51, SUM, 200, READY, False),  # accepted: it does not wait
        (0.51, SUM, 200, VERIFIED, True),
        (0.66, SUM, 200, VERIFIED, False),
        (0.49, SUM, 200, OFFLINE, False),  # nothing hangs on it
        (0.49, SUM, 200, Limits(is_offline=True, wants_verified=True), True),
    ],
)
def test_a_second_answer_is_wanted_where_the_validator_is_undecided_and_something_hangs_on_it(
    p_good: float, draft: Draft, count: int, limits: Limits, expected: bool
) -> None:
    assert policy.is_undecided(p_good, draft, count, limits) is expected


@pytest.mark.parametrize("p_good", [0.0, 0.36, 0.5, 0.64])
def test_a_second_answer_that_agrees_speaks_for_the_first_and_one_that_differs_against_it(p_good: float) -> None:
    assert policy.with_second(p_good, False) <= p_good <= policy.with_second(p_good, True) < 1


SETTLED = Thresholds(0.7, 0.2)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, Thresholds(None)),
        (49, Thresholds(None)),
        (50, Thresholds(0.95, 0.5)),
        (199, Thresholds(0.95, 0.5)),
        (200, SETTLED),
        (10_000, SETTLED),
    ],
)
def test_what_is_settled_holds_once_the_early_phases_are_over(count: int, expected: Thresholds) -> None:
    assert policy.in_force(count, SETTLED) == expected


@pytest.mark.parametrize(
    ("p_local", "settled", "expected"),
    [
        (0.69, SETTLED, Forward(Reason.LOW_CONFIDENCE)),
        (0.7, SETTLED, CONFIDENT),
        (1.0, Thresholds(None), Forward(Reason.LOW_CONFIDENCE)),
        (0.0, Thresholds(0.0, 0.0), CONFIDENT),
    ],
)
def test_the_settled_router_threshold_decides(p_local: float, settled: Thresholds, expected: Route) -> None:
    assert policy.route(p_local, 200, Limits(has_key=True), settled) == expected


def test_the_settled_validator_threshold_reviews() -> None:
    limits = Limits(has_key=True)
    assert policy.review(0.2, True, CONFIDENT, 200, limits, SETTLED) == CONFIDENT
    assert policy.review(0.19, True, CONFIDENT, 200, limits, SETTLED) == Forward(Reason.REJECTED_DRAFT)


@pytest.mark.parametrize(
    ("p_good", "reason", "settled", "expected"),
    [
        (0.2, Reason.LOCAL_CONFIDENT, SETTLED, True),
        (0.2, Reason.OFFLINE, SETTLED, False),  # the router's threshold was never applied
        (0.6, Reason.OFFLINE, SETTLED, True),
        (0.6, Reason.OFFLINE, Thresholds(None), False),  # nothing may pass
        (0.0, Reason.LOCAL_CONFIDENT, Thresholds(0.0, 0.0), True),
        (0.0, Reason.FORCED, Thresholds(0.0, 0.0), False),
    ],
)
def test_thresholds_that_hold_together_are_not_trusted_apart(
    p_good: float, reason: Reason, settled: Thresholds, expected: bool
) -> None:
    assert policy.accepts(p_good, Local(reason), 300, settled) is expected


def test_a_draft_that_the_contract_would_take_is_not_hopeless() -> None:
    assert policy.is_hopeless(0.03, 300)
    assert not policy.is_hopeless(0.03, 300, Thresholds(0.9, 0.02))


@pytest.mark.parametrize(
    ("limits", "chosen"),
    [
        (Limits(has_key=True), Forward(Reason.MODEL_NOT_READY)),
        (Limits(has_key=False), Local(Reason.MODEL_NOT_READY)),
        (Limits(has_key=True, is_offline=True), Local(Reason.OFFLINE)),
        (Limits(has_key=True, has_budget=False), Local(Reason.BUDGET)),
        (Limits(has_key=True, forced=Side.LOCAL), Local(Reason.FORCED)),
        (Limits(has_key=True, forced=Side.TEACHER), Forward(Reason.FORCED)),
    ],
)
def test_while_a_model_is_fetched_the_teacher_answers_and_else_the_stand_in(limits: Limits, chosen: Route) -> None:
    waiting = replace(limits, is_stand_in=True)
    assert policy.route(0.99, 10_000, waiting) == chosen
    assert not waiting.is_counted
