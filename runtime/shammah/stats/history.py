"""Figures over time, and what was applied to the local model when."""

import functools
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import TypeVar

from shammah.generation import ActiveSet
from shammah.journal.counted import Activation, Compared, Label, Spent, Tally, Wait
from shammah.policy import Side
from shammah.stats.estimates import Rate, rate
from shammah.stats.money import Assumption, given_locally, saved_usd
from shammah.stats.period import By, start, starts
from shammah.stats.usage import all_tokens, reasons, shares

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Span:
    """A day or a week.

    Attributes:
        start: Its first day.
        local_share: Of the answered; None where nothing was.
        forwarded: Why the teacher answered, and how often.
        given: How many of the local answers that the router chose were bad.
        compared: How many of all local answers to counted questions were, shown or not.
        divergence: Mean of the comparisons; None without any.
        median_seconds: That an answer was waited for; None without any.
        local_tokens: Read and written, for users and in the background.
        saved_usd: None where the teacher's price is not known.
    """

    start: str
    asked: int
    answered: int
    local: int
    local_share: float | None
    forwarded: dict[str, int]
    given: Rate
    compared: Rate
    divergence: float | None
    median_seconds: float | None
    local_tokens: int
    teacher_tokens: int
    spent_usd: float
    saved_usd: float | None


@dataclass(frozen=True, slots=True)
class Applied:
    """What was applied to a base for a while, and how the answers of that while turned out.

    Attributes:
        since: When it was made active; None for the bare base before the first adapter.
        until: None where it holds.
        base: Name of the base.
        adapters: Names with scales; none is the bare base.
        why: What made it active; empty for the bare base before the first adapter.
        judged: Local answers to counted questions.
    """

    since: str | None
    until: str | None
    base: str
    adapters: ActiveSet
    why: str
    judged: Rate


@dataclass(frozen=True, slots=True)
class Days:
    """All that is known day by day."""

    asked: Mapping[str, int]
    tallies: Sequence[Tally]
    labels: Sequence[Label]
    compared: Sequence[Compared]
    waits: Sequence[Wait]
    spent: Sequence[Spent]


def first_day(days: Days) -> date | None:
    """The first day of which anything is known."""
    known = [*days.asked, *(one.day for one in days.spent)]
    return date.fromisoformat(min(known)) if known else None


def over_time(days: Days, by: By, today: date, assumption: Assumption) -> tuple[Span, ...]:
    """The figures of each day or week, oldest first, also of those in which nothing happened."""
    first = first_day(days)
    if first is None:
        return ()
    asked = _cut(((day, count) for day, count in days.asked.items()), by)
    tallies = _cut(((one.day, one) for one in days.tallies), by)
    labels = _cut(((one.day, one) for one in days.labels), by)
    compared = _cut(((one.day, one) for one in days.compared), by)
    waits = _cut(((one.day, one) for one in days.waits), by)
    spent = _cut(((one.day, one) for one in days.spent), by)

    def span(at: date) -> Span:
        who = shares({at.isoformat(): sum(asked[at])}, tallies[at])
        return Span(
            start=at.isoformat(),
            asked=who.asked,
            answered=who.answered,
            local=who.local,
            local_share=who.local_share,
            forwarded={one.reason: one.answers for one in reasons(tallies[at]) if one.side == Side.TEACHER},
            given=rate(one for one in labels[at] if one.is_given),
            compared=rate(one for one in labels[at] if one.is_counted),
            divergence=statistics.fmean(one.divergence for one in compared[at]) if compared[at] else None,
            median_seconds=statistics.median(one.seconds for one in waits[at]) if waits[at] else None,
            local_tokens=all_tokens(tallies[at], Side.LOCAL),
            teacher_tokens=all_tokens(tallies[at], Side.TEACHER),
            spent_usd=sum(one.settled_usd for one in spent[at]),
            saved_usd=saved_usd(given_locally(tallies[at]), assumption),
        )

    return tuple(map(span, starts(first, max(first, today), by)))


def _cut(rows: Iterable[tuple[str, T]], by: By) -> defaultdict[date, list[T]]:
    """Rows by the day or week that theirs is in."""
    parts = defaultdict[date, list[T]](list)
    for day, row in rows:
        parts[_start(day, by)].append(row)
    return parts


@functools.cache
def _start(day: str, by: By) -> date:
    return start(date.fromisoformat(day), by)


def applied(activations: Sequence[Activation], labels: Sequence[Label], since: str) -> tuple[Applied, ...]:
    """What was applied to each base from a moment on, oldest first, and how its answers turned out."""
    rows = []
    for base in dict.fromkeys(one.base for one in activations):
        own = [one for one in activations if one.base == base]
        ends = [*(later.created for _, later in pairwise(own)), None]
        for place, (one, until) in enumerate(zip(own, ends, strict=True)):
            begin = one.created if place else ""  # what was first held before anyone chose it
            if until is None or until >= since:
                judged = rate(label for label in labels if _was_under(label, one, begin, until))
                name = one.name or base[:12]
                rows.append(Applied(begin or None, until, name, one.adapters, one.why if begin else "", judged))
    return tuple(sorted(rows, key=lambda row: row.since or ""))


def _was_under(label: Label, one: Activation, begin: str, until: str | None) -> bool:
    is_then = begin <= label.answered and (until is None or label.answered < until)
    return label.is_counted and is_then and (label.base, label.adapters) == (one.base, one.adapters)
