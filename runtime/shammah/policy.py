"""Who answers: decided from values alone."""

from dataclasses import dataclass
from enum import StrEnum

from shammah.errors import (
    LOCALLY,
    BudgetReached,
    ContextTooLong,
    KeyMissing,
    ModelMissing,
    NothingVerified,
    ShammahError,
    StaysHere,
    UsageError,
)
from shammah.topics import Topic


class Side(StrEnum):
    """The two that can answer."""

    LOCAL = "local"
    TEACHER = "teacher"


class Reason(StrEnum):
    """Why an answer came from where it came."""

    COLD_START = "cold_start"
    LOW_CONFIDENCE = "low_confidence"
    REJECTED_DRAFT = "rejected_draft"
    SAMPLED = "sampled"
    FORCED = "forced"
    PRIVATE = "private"
    OFFLINE = "offline"
    NO_KEY = "no_key"
    BUDGET = "budget"
    MODEL_NOT_READY = "model_not_ready"
    CONTEXT_TOO_LONG = "context_too_long"
    TEACHER_FAILED = "teacher_failed"
    LOCAL_FAILED = "local_failed"
    LOCAL_CONFIDENT = "local_confident"


@dataclass(frozen=True, slots=True)
class Local:
    """The local model answers."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Forward:
    """The teacher answers."""

    reason: Reason


Route = Local | Forward

COLD_QUESTIONS = 50
CAUTIOUS_QUESTIONS = 200
CAUTIOUS_THRESHOLD = 0.95
THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which probabilities a local answer is given, once the early phases are over.

    Attributes:
        router: None forwards everything.
        compares_all: Whether every forwarded question is compared, for want of evidence.
    """

    router: float | None = THRESHOLD
    validator: float = THRESHOLD
    compares_all: bool = False


FIXED = Thresholds()
# A draft whose first tokens get less is stopped; docs/lab-notes.md has what that saves and loses.
HOPELESS = 0.05
# So near to the threshold the validator is undecided. A second answer to a question of mathematics is evidence then:
# P(both end in the same figure | good) / P(they do | bad), and the same for another figure; of other questions it told
# nothing. docs/lab-notes.md has the measurements.
UNDECIDED, LONGEST_SECOND_TOKENS = 0.15, 160
AGREEMENT, DISAGREEMENT = 4.0, 0.2


@dataclass(frozen=True, slots=True)
class Limits:
    """What is possible and allowed for one question.

    Attributes:
        forced: The side that the user asked for.
        prompt_fits: Whether the question fits the local context; True where the model is not ready.
        is_stand_in: The built-in model answers, until the one that is wanted has been fetched.
        is_private: `privacy.never_forward` keeps the conversation here.
        local_is_away: The local model runs on another machine.
    """

    forced: Side | None = None
    is_offline: bool = False
    has_key: bool = False
    has_budget: bool = True
    local_is_ready: bool = True
    prompt_fits: bool = True
    wants_verified: bool = False
    is_stand_in: bool = False
    is_private: bool = False
    local_is_away: bool = False

    @property
    def no_teacher(self) -> Reason | None:
        """Why the teacher cannot be asked; None where it can."""
        if self.is_private:  # before all else: what goes on from the answer reads it there
            return Reason.PRIVATE
        if self.forced is Side.LOCAL:
            return Reason.FORCED
        if self.is_offline:
            return Reason.OFFLINE
        if not self.has_key:
            return Reason.NO_KEY
        return None if self.has_budget else Reason.BUDGET

    @property
    def is_counted(self) -> bool:
        """Whether the question moves the phases: a teacher and the model were there, and no side was forced."""
        return self.forced is None and self.no_teacher is None and not self.is_stand_in


@dataclass(frozen=True, slots=True)
class Draft:
    """A local answer, as far as a second one depends on it."""

    topic: Topic
    tokens: int
    is_whole: bool


def in_force(count: int, settled: Thresholds) -> Thresholds:
    """Both thresholds after `count` questions; `settled` holds when the early phases are over."""
    if count < COLD_QUESTIONS:
        return Thresholds(None)
    return Thresholds(CAUTIOUS_THRESHOLD) if count < CAUTIOUS_QUESTIONS else settled


def threshold(count: int, settled: Thresholds = FIXED) -> float | None:
    """The probability from which the local model answers, after `count` questions; None: never yet."""
    return in_force(count, settled).router


def route(p_local: float, count: int, limits: Limits, settled: Thresholds = FIXED) -> Route:
    """Choose who answers, from the question alone.

    Raises:
        ShammahError: Nobody can answer; the error's class says why.
    """
    if limits.forced is Side.TEACHER:
        return Forward(Reason.FORCED)
    if limits.no_teacher:
        _require_local(limits)
        is_waiting = limits.is_stand_in and limits.no_teacher is Reason.NO_KEY
        return Local(Reason.MODEL_NOT_READY if is_waiting else limits.no_teacher)
    if limits.is_stand_in or not limits.local_is_ready:
        return Forward(Reason.MODEL_NOT_READY)
    if not limits.prompt_fits:
        return Forward(Reason.CONTEXT_TOO_LONG)
    bar = threshold(count, settled)
    if bar is None:
        return Forward(Reason.COLD_START if count < COLD_QUESTIONS else Reason.LOW_CONFIDENCE)
    return Local(Reason.LOCAL_CONFIDENT) if p_local >= bar else Forward(Reason.LOW_CONFIDENCE)


def check_teacher(limits: Limits) -> None:
    """Refuse a question that was meant for the teacher alone when the teacher cannot be asked.

    Raises:
        UsageError, KeyMissing, BudgetReached: By what stands in the way.
    """
    if limits.is_private:
        raise StaysHere("this conversation stays on this machine: something in it matches `privacy.never_forward`")
    if limits.is_offline:
        raise UsageError("nobody is asked in offline mode", hint=f"Leave that, or {LOCALLY}.")
    if not limits.has_key:
        raise KeyMissing("the teacher needs a key, and there is none")
    if not limits.has_budget:
        raise BudgetReached("the teacher's budget does not cover this question")


def check_local(limits: Limits) -> None:
    """Refuse a question that stays on this machine where the local model is not on it.

    Raises:
        StaysHere: So it is.
    """
    if limits.local_is_away and (limits.is_private or limits.is_offline):
        why = "something in it matches `privacy.never_forward`" if limits.is_private else "nothing may leave it"
        raise StaysHere(
            f"the model runs on another machine, and this question stays here: {why}",
            hint="Let a model answer on this machine: shammah ask --model seedling",
        )


def _require_local(limits: Limits) -> None:
    if not limits.local_is_ready:
        raise ModelMissing("there is no local model to answer, and the teacher cannot be asked")
    if not limits.prompt_fits:
        raise ContextTooLong("the question is longer than the local model's context, and may not be forwarded")


def accepts(p_good: float, chosen: Local, count: int, settled: Thresholds = FIXED) -> bool:
    """Whether the validator vouches for a local answer; it has no say before it has learned.

    The contract's thresholds hold together: where the router did not let the question pass, its threshold may be
    lower than what one would trust alone, and where nothing may pass, nothing is vouched for.
    """
    bars = in_force(count, settled)
    if count < COLD_QUESTIONS or bars.router is None:
        return False
    bar = bars.validator if chosen.reason is Reason.LOCAL_CONFIDENT else max(bars.validator, THRESHOLD)
    return p_good >= bar


def may_stop_early(count: int, limits: Limits) -> bool:
    """Whether the validator judges a draft's first tokens: it has learned, and a teacher would answer instead."""
    return count >= COLD_QUESTIONS and limits.no_teacher is None


def is_hopeless(p_good: float, count: int, settled: Thresholds = FIXED) -> bool:
    """Whether a draft that was judged by its first tokens is stopped there."""
    return p_good < min(HOPELESS, in_force(count, settled).validator)


def is_undecided(p_good: float, draft: Draft, count: int, limits: Limits, settled: Thresholds = FIXED) -> bool:
    """Whether a second local answer is worth its time: the verdict is close, something hangs on it, and it would tell.

    An answer that the validator accepts waits for no second one, but where only a verified answer will do.
    """
    would_tell = draft.is_whole and draft.topic is Topic.MATH and draft.tokens <= LONGEST_SECOND_TOKENS
    bar = in_force(count, settled).validator
    if not would_tell or count < COLD_QUESTIONS or abs(p_good - bar) > UNDECIDED:
        return False
    return limits.wants_verified or (p_good < bar and limits.no_teacher is None)


def with_second(p_good: float, agrees: bool) -> float:
    """P(good) once a second local answer said the same, or something else: its log-odds move by what that tells."""
    odds = p_good / (1 - p_good) * (AGREEMENT if agrees else DISAGREEMENT)
    return odds / (1 + odds)


def review(
    p_good: float, is_whole: bool, chosen: Local, count: int, limits: Limits, settled: Thresholds = FIXED
) -> Route:
    """Choose again once the local answer is there: keep it, or forward the question after all.

    Raises:
        NothingVerified, BudgetReached: A verified answer was asked for and cannot be had.
    """
    is_good = is_whole and accepts(p_good, chosen, count, settled)
    if is_good or (not limits.wants_verified and limits.no_teacher):
        return chosen
    if limits.no_teacher is None:
        return Forward(Reason.REJECTED_DRAFT)
    raise unverified(limits)


def without_local(error: ShammahError, limits: Limits) -> Forward:
    """Choose again where the local model's engine or server failed, or found the question too long after all.

    Raises:
        ShammahError: The failure itself, where the teacher cannot be asked instead.
    """
    if limits.no_teacher is not None:
        raise error
    return Forward(Reason.CONTEXT_TOO_LONG if isinstance(error, ContextTooLong) else Reason.LOCAL_FAILED)


def unverified(limits: Limits, failure: ShammahError | None = None) -> ShammahError:
    """The error for a question that wants a verified answer where none can be had; `failure` is the teacher's."""
    if limits.no_teacher is Reason.BUDGET:
        return BudgetReached("no verified answer: the teacher's budget does not cover this question")
    what = "no verified answer: the validator does not vouch for the local one"
    if failure is not None:
        return NothingVerified(f"{what}, and {failure}", hint=failure.hint_with("leave out --verified"))
    return NothingVerified(what, hint=_UNVERIFIED.get(limits.no_teacher or Reason.NO_KEY))


_UNVERIFIED = {
    Reason.OFFLINE: "Leave offline mode, so that the teacher may answer, or leave out --verified.",
    Reason.FORCED: "Leave out --local, so that the teacher may answer, or leave out --verified.",
    Reason.PRIVATE: "`privacy.never_forward` keeps it here: leave out --verified.",
}
"""What can be done where the teacher is not asked; without a key the error says it itself."""
