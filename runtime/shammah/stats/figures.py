"""All figures of a home in one record, gathered in one pass over its journal."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from shammah import policy, quality, teacher
from shammah.contract import Standing
from shammah.divergence import THRESHOLDS, Method
from shammah.journal import Journal
from shammah.journal.counted import BaseCount, BlindCount, Compared, Label, Scope
from shammah.journal.figures import first_moment
from shammah.settings import Settings
from shammah.stats import period, usage
from shammah.stats.estimates import Calibration, Rate, calibration, rate
from shammah.stats.history import Applied, Days, Span, applied, first_day, over_time
from shammah.stats.money import Money, assume, money
from shammah.stats.period import By
from shammah.stats.text import plain


@dataclass(frozen=True, slots=True)
class ContractFigure:
    """What the quality contract of a base says now.

    Attributes:
        base: Name of the base.
        questions: Counted for it so far.
        is_in_force: Whether the contract sets the thresholds, as from question 200 on.
        max_bad_rate: That the user allows; None where the contract is off.
        standing: None where the contract is off.
    """

    base: str
    questions: int
    is_in_force: bool
    max_bad_rate: float | None
    standing: Standing | None


@dataclass(frozen=True, slots=True)
class Quality:
    """How many local answers were worse than the teacher's, or rated so.

    Attributes:
        given: Of those that the router chose and users saw.
        compared: Of all to counted questions, also those that were made for comparison, or were rejected.
        sources: How many judged answers of `compared` have their last word from whom.
    """

    given: Rate
    compared: Rate
    sources: dict[str, int]


@dataclass(frozen=True, slots=True)
class Divergences:
    """Comparisons of local answers with the teacher's by one method; 0 says the same.

    Attributes:
        worse: Of the compared, those from which on the local answer counts as worse.
    """

    method: str
    compared: int
    mean: float
    median: float
    worse: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What became of a home's questions.

    Attributes:
        since: The first day that is counted; None where all are.
        until: The last, today.
        base: sha256 of the one base that is counted; None where all are.
        teacher: What whoever taught is called; who would, where nobody did.
        contract: Of the base of the newest question; None before the first.
        trainings: How many are in which state.
    """

    since: str | None
    until: str
    by: By
    base: str | None
    bases: tuple[BaseCount, ...]
    teacher: str
    questions: usage.Shares
    reasons: tuple[usage.ReasonCount, ...]
    contract: ContractFigure | None
    quality: Quality
    divergence: tuple[Divergences, ...]
    router: Calibration
    validator: Calibration
    adapters: tuple[Applied, ...]
    trainings: dict[str, int]
    tokens: tuple[usage.Tokens, ...]
    seconds: tuple[usage.Seconds, ...]
    money: Money
    ratings: tuple[usage.Ratings, ...]
    blind: tuple[BlindCount, ...]
    over_time: tuple[Span, ...]


def gather(journal: Journal, settings: Settings, scope: Scope, by: By | None, today: date) -> Figures:
    """Count everything; `by` None cuts a short time into days and a long one into weeks."""
    rows = journal.figures
    bases = rows.bases(scope)
    days = Days(
        asked=rows.asked(scope),
        tallies=rows.tallies(scope),
        labels=rows.labels(scope),
        compared=rows.compared(scope),
        waits=rows.waits(scope),
        spent=rows.spent(scope),
    )
    by = by or period.fitting(first_day(days) or today, today)
    assumption = assume(settings.teacher.model, teacher.price_of(settings.teacher), rows.pairs(scope))
    counted = [label for label in days.labels if label.is_counted]
    return Figures(
        since=scope.first_day or None,
        until=today.isoformat(),
        by=by,
        base=scope.base,
        bases=tuple(bases),
        teacher=plain(teacher.called_all(rows.teachers(scope), settings.teacher.model)),
        questions=usage.shares(days.asked, days.tallies),
        reasons=usage.reasons(days.tallies),
        contract=_contract(journal, settings, bases),
        quality=_quality(days.labels, counted),
        divergence=_divergences(days.compared),
        router=calibration(counted, lambda label: label.router),
        validator=calibration(counted, lambda label: label.validator),
        adapters=applied(rows.activations(scope), days.labels, first_moment(scope)),
        trainings=rows.trainings(scope),
        tokens=usage.tokens(days.tallies),
        seconds=usage.seconds(days.waits),
        money=money(days.tallies, days.spent, rows.judge_usd(scope), assumption),
        ratings=usage.ratings(rows.ratings(scope)),
        blind=tuple(rows.blind(scope)),
        over_time=over_time(days, by, today, assumption),
    )


def as_object(figures: Figures) -> dict[str, Any]:
    """The figures as JSON has them."""
    return asdict(figures)


def _contract(journal: Journal, settings: Settings, bases: Sequence[BaseCount]) -> ContractFigure | None:
    """The contract of the base of the newest question."""
    base = next((base for base in bases if base.sha256), None)
    if base is None:
        return None
    count, allowed = journal.count(base.sha256), quality.max_bad_rate(settings)
    held = quality.of_base(settings, journal, base.sha256)
    return ContractFigure(
        base=base.name,
        questions=count,
        is_in_force=held is not None and count >= policy.CAUTIOUS_QUESTIONS,
        max_bad_rate=allowed,
        standing=held.standing() if held else None,
    )


def _quality(labels: Sequence[Label], counted: Sequence[Label]) -> Quality:
    sources = Counter(label.source for label in counted)
    return Quality(rate(label for label in labels if label.is_given), rate(counted), dict(sources.most_common()))


def _divergences(compared: Sequence[Compared]) -> tuple[Divergences, ...]:
    """By method: a cosine and a judge's grades are no one scale."""
    methods = Counter(one.method for one in compared)
    found = ((method, [one.divergence for one in compared if one.method == method]) for method in methods)
    rows = (_divergence(method, values) for method, values in found)
    return tuple(sorted(rows, key=lambda row: (-row.compared, row.method)))


def _divergence(method: str, values: Sequence[float]) -> Divergences:
    bar = THRESHOLDS[Method(method)]
    worse = sum(value > bar for value in values)
    return Divergences(method, len(values), statistics.fmean(values), statistics.median(values), worse)
