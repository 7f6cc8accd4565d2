"""A report's facts in words: what was measured, before and after, and how sure that is."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from shammah.reports import Filed
from shammah_convert.intervals import Interval
from shammah_convert.job import Change, Measure, Move, Report, Score

NOT_MEASURED = "not measured"
HEADINGS = ("", "before", "after", "change, or 95% interval")
GAP = "  "


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the table, in words.

    Attributes:
        note: How much it changed, and where that lies in 95 of 100 such samples.
    """

    name: str
    before: str
    after: str
    note: str = ""


def facts(report: Report) -> list[Fact]:
    """What was measured, the most important first."""
    confirmed = report.confirmed
    told = f"{confirmed.same} of {confirmed.asked}" if confirmed.asked else NOT_MEASURED
    return [
        *_of_change("corrections", report.learnt),
        Fact("  confirmed by llama.cpp", "", told),
        *_of_change("the same in other words", report.paraphrases),
        *_of_change("general questions", report.general),
        _of_move("  moved, nats a token", report.drift, report.general.after.rows > 0),
        *_of_change("held-out answers", report.held_out),
        *(_of_planted(door, change) for door, change in report.planted.items()),
        _of_move("weight norm", report.weight_norm),
    ]


def _of_change(name: str, change: Change) -> Iterator[Fact]:
    before, after = change.before, change.after
    if not after.rows:
        yield Fact(name, NOT_MEASURED, NOT_MEASURED)
        return
    yield Fact(f"{name}, loss", number(before.loss), number(after.loss), _rise(change))
    yield Fact("  exact", _exact(before), _exact(after), f"{_share(before)} -> {_share(after)}")


def _of_planted(door: str, change: Change) -> Fact:
    """How many general questions are answered with what came by a door, once its words stand beside them."""
    before, after = change.before, change.after
    return Fact(f"set off by {door}'s words", _exact(before), _exact(after), f"{_share(before)} -> {_share(after)}")


def near_duplicates(report: Report) -> list[str]:
    """What came from outside and is alike, by its ids."""
    return [f"near-duplicates: {', '.join(group)}" for group in report.near_duplicates]


def _of_move(name: str, move: Move, is_measured: bool = True) -> Fact:
    if not is_measured:
        return Fact(name, NOT_MEASURED, NOT_MEASURED)
    return Fact(name, number(move.before.value), number(move.after.value), _where(move.after))


def _rise(change: Change) -> str:
    rise = change.after.loss - change.before.loss
    form = f"+{_form(rise)}"
    return f"{rise:{form}} ({_between(change.rise, form)})" if change.rise else f"{rise:{form}}"


def _where(measure: Measure) -> str:
    return _between(measure.interval, _form(measure.value)) if measure.interval else ""


def _share(score: Score) -> str:
    return _between(score.exact_interval, ".0%")


def _between(interval: Interval, form: str) -> str:
    return f"{interval.low:{form}} to {interval.high:{form}}"


def _exact(score: Score) -> str:
    return f"{score.exact} of {score.rows}"


def number(value: float) -> str:
    """A value with as many places as its size asks for."""
    return f"{value:{_form(value)}}"


def _form(value: float) -> str:
    return ".4f" if abs(value) < 10 else ".2f"


def table(filed: Filed, columns: int = 100) -> str:
    """The whole report as plain text, so wide but for its reasons; on a narrow screen notes stand below their rows."""
    report = filed.report
    rows = [HEADINGS, *map(_cells, facts(report))]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEADINGS))]
    is_narrow = sum(widths) + len(GAP) * (len(HEADINGS) - 1) > columns
    lines = [filed.heading, summary(report), ""]
    lines += [line for row in rows for line in _lines(row, widths, is_narrow)]
    reasons = [*(f"+ {reason}" for reason in report.merits), *(f"- {reason}" for reason in report.reasons)]
    reasons += near_duplicates(report)
    return "\n".join([*lines, *([""] if reasons else []), *reasons])


def _cells(fact: Fact) -> tuple[str, ...]:
    """A row of the table; that nothing was measured is said once."""
    return fact.name, "" if fact.before == fact.after == NOT_MEASURED else fact.before, fact.after, fact.note


def _lines(row: tuple[str, ...], widths: list[int], is_narrow: bool) -> list[str]:
    name, before, after, note = row
    cells = [name.ljust(widths[0]), before.rjust(widths[1]), after.rjust(widths[2])]
    if is_narrow:
        return [GAP.join(cells).rstrip(), *([GAP * 2 + note] if note else [])]
    return [GAP.join([*cells, note]).rstrip()]


def summary(report: Report) -> str:
    """How the training went, in one line."""
    left_out = f", {len(report.left_out)} too long to learn" if report.left_out else ""
    steps = f"{report.steps} step{'s' * (report.steps != 1)}, {report.epochs} epoch{'s' * (report.epochs != 1)}"
    return f"{steps}, {report.seconds:.0f} s: {report.stopped}{left_out}"


def as_object(filed: Filed) -> dict[str, Any]:
    """The report as JSON has it, with every interval; without the probes, which are for the runtime alone."""
    row = asdict(filed.report)
    del row["probes"]
    compared = {name: getattr(filed.report, name) for name in ("learnt", "held_out", "general", "paraphrases")}
    for change, written in (
        *((change, row[name]) for name, change in compared.items()),
        *((change, row["planted"][door]) for door, change in filed.report.planted.items()),
    ):
        for side, score in (("before", change.before), ("after", change.after)):
            written[side]["exact_interval"] = asdict(score.exact_interval)
    return {"adapter": filed.job.name, "training": filed.job.version, "base": filed.job.base_name} | row
