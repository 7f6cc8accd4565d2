"""Who answered, why, and what that took in tokens and seconds."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shammah.journal.counted import Tally, Wait
from shammah.policy import Side
from shammah.records.examples import Rating

SIDES = (Side.LOCAL, Side.TEACHER)


@dataclass(frozen=True, slots=True)
class Shares:
    """Who answered.

    Attributes:
        answered: Questions that got an answer.
        local: Of the answered, those that the local model answered.
        counted: Answered questions for which a teacher was available and no side was forced.
        counted_local: Of the counted, those that the local model answered.
    """

    asked: int
    answered: int
    local: int
    local_share: float | None
    counted: int
    counted_local: int
    counted_local_share: float | None


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How often a side answered for a reason."""

    side: str
    reason: str
    answers: int
    share: float


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a side read and wrote, by its own count of tokens.

    Attributes:
        is_given: The answers that users saw, rather than drafts and answers for comparison.
    """

    side: str
    is_given: bool
    answers: int
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long the answers of a side were waited for, from the question to the last token.

    Attributes:
        ninetieth: Nine of ten answers were there within so many.
        total: All of them together.
        tokens_per_second: Of the local model, its reading of the prompt included; None of the teacher.
    """

    side: str
    answers: int
    median: float
    ninetieth: float
    total: float
    tokens_per_second: float | None


@dataclass(frozen=True, slots=True)
class Ratings:
    """What users said of a side's answers; the last rating of an answer counts."""

    side: str
    good: int
    medium: int
    critical: int


def shares(asked: Mapping[str, int], tallies: Sequence[Tally]) -> Shares:
    """Who answered, of all questions and of those that the router had a say in."""
    shown = [tally for tally in tallies if tally.is_shown]
    counted = [tally for tally in shown if tally.is_counted]
    answered, local = _both(shown)
    of_counted, counted_local = _both(counted)
    return Shares(
        asked=sum(asked.values()),
        answered=answered,
        local=local,
        local_share=ratio(local, answered),
        counted=of_counted,
        counted_local=counted_local,
        counted_local_share=ratio(counted_local, of_counted),
    )


def _both(tallies: Sequence[Tally]) -> tuple[int, int]:
    """All answers, and the local ones among them."""
    return sum(t.answers for t in tallies), sum(t.answers for t in tallies if t.side == Side.LOCAL)


def ratio(part: float, whole: float) -> float | None:
    """A share; None of nothing."""
    return part / whole if whole else None


def reasons(tallies: Sequence[Tally]) -> tuple[ReasonCount, ...]:
    """Why each side answered, the most frequent reason first."""
    found = Counter[tuple[str, str]]()
    for tally in tallies:
        if tally.is_shown:
            found[tally.side, tally.reason] += tally.answers
    ordered = sorted(found.items(), key=lambda item: (item[0][0], -item[1], item[0][1]))
    return tuple(ReasonCount(side, reason, count, count / found.total()) for (side, reason), count in ordered)


def tokens(tallies: Sequence[Tally]) -> tuple[Tokens, ...]:
    """What both sides read and wrote, for users and in the background."""
    found = defaultdict[tuple[str, bool], list[Tally]](list)
    for tally in tallies:
        found[tally.side, not tally.is_shown].append(tally)
    return tuple(
        Tokens(
            side=side,
            is_given=not is_hidden,
            answers=sum(one.answers for one in ones),
            prompt_tokens=sum(one.prompt_tokens for one in ones),
            completion_tokens=sum(one.completion_tokens for one in ones),
        )
        for (side, is_hidden), ones in sorted(found.items())
    )


def all_tokens(tallies: Sequence[Tally], side: Side) -> int:
    """What a side read and wrote in all."""
    return sum(one.prompt_tokens + one.completion_tokens for one in tallies if one.side == side)


def seconds(waits: Sequence[Wait]) -> tuple[Seconds, ...]:
    """How long both sides' answers were waited for."""
    by_side = {side: [wait for wait in waits if wait.side == side] for side in SIDES}
    return tuple(_seconds(side, found) for side, found in by_side.items() if found)


def _seconds(side: Side, waits: Sequence[Wait]) -> Seconds:
    waited = sorted(wait.seconds for wait in waits)
    wrote = [wait for wait in waits if wait.local_seconds > 0 and side == Side.LOCAL]
    return Seconds(
        side=side,
        answers=len(waited),
        median=statistics.median(waited),
        ninetieth=waited[max(0, -(-9 * len(waited) // 10) - 1)],
        total=sum(waited),
        tokens_per_second=ratio(sum(one.completion_tokens for one in wrote), sum(one.local_seconds for one in wrote)),
    )


def ratings(counts: Mapping[tuple[str, str], int]) -> tuple[Ratings, ...]:
    """What users said of both sides' answers."""
    rated = [side for side in SIDES if any(one == side for one, _ in counts)]
    return tuple(
        Ratings(side, *(counts.get((side, rating), 0) for rating in (Rating.GOOD, Rating.MEDIUM, Rating.CRITICAL)))
        for side in rated
    )
