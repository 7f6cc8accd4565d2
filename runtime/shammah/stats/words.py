"""The figures in words, as sections that text and page both show."""

from collections.abc import Iterator

from shammah.policy import Side
from shammah.stats.figures import Figures
from shammah.stats.history import Applied
from shammah.stats.money_words import money_section
from shammah.stats.numbers import NOT_KNOWN, day_of, duration, percent, plural, usd
from shammah.stats.quality_words import calibration_section, divergence_section, quality_section
from shammah.stats.sections import Curve, Row, Section

NEWEST = 14
"""So many rows have the tables of adapters and of time; `--json` has all."""


def heading(figures: Figures) -> str:
    """What is counted, in a line."""
    begin = figures.since or (figures.over_time[0].start if figures.over_time else figures.until)
    names = [base.name or "no local model" for base in figures.bases]
    models = names[0] if len(names) == 1 else f"{len(names)} models"
    return f"{plural(figures.questions.asked, 'question')}, {begin} to {figures.until}, {models}"


def sections(figures: Figures) -> list[Section]:
    """All that there is to say, the most important first; of what never happened, nothing."""
    if not figures.over_time:
        return []
    made = (
        _who(figures),
        _why(figures),
        quality_section(figures),
        _over_time(figures),
        money_section(figures),
        divergence_section(figures),
        calibration_section("router", figures.router),
        calibration_section("validator", figures.validator),
        _adapters(figures),
        _tokens(figures),
        _seconds(figures),
        _ratings(figures),
        _blind(figures),
    )
    return [section for section in made if section.rows or section.notes]


def _side(figures: Figures, side: str) -> str:
    """What a side is called."""
    return figures.teacher if side == Side.TEACHER else "local"


def _who(figures: Figures) -> Section:
    found = figures.questions
    counts = (  # no mapping: a teacher may be called as it likes
        ("local", found.local),
        (figures.teacher, found.answered - found.local),
        ("nobody", found.asked - found.answered),
    )
    rows = (
        Row((name, f"{count:,}", percent(count / found.asked)), count / found.asked)
        for place, (name, count) in enumerate(counts)
        if found.asked and (count or place < 2)
    )
    note = (
        f"Where {figures.teacher} could have been asked, the local model answered {percent(found.counted_local_share)}"
        f" ({found.counted_local:,} of {found.counted:,})."
    )
    return Section("Who answered", ("", "questions", "share"), tuple(rows), (note,) if found.counted else ())


def _why(figures: Figures) -> Section:
    rows = (
        Row(
            (f"{_side(figures, one.side)}: {one.reason.replace('_', ' ')}", f"{one.answers:,}", percent(one.share)),
            one.share,
        )
        for one in figures.reasons
    )
    return Section("Why", ("", "answers", "share"), tuple(rows))


def _over_time(figures: Figures) -> Section:
    spans = figures.over_time
    if not spans:
        return Section("Over time")
    newest = spans[-NEWEST:]
    rows = (
        Row(
            (
                span.start,
                f"{span.asked:,}",
                percent(span.local_share),
                percent(span.compared.rate),
                usd(span.spent_usd),
                usd(span.saved_usd) if span.saved_usd is not None else NOT_KNOWN,
            )
        )
        for span in newest
    )
    left_out = f"The newest {len(newest)} of {len(spans)} {figures.by}s; `--json` has all."
    return Section(
        f"Over time, by {figures.by}",
        (figures.by, "asked", "local", "bad", "spent", "saved"),
        tuple(rows),
        ("Bad is the share of all local answers that were made.", *([left_out] if len(newest) < len(spans) else [])),
        starts=tuple(span.start for span in spans),
        marks=tuple(day_of(one.since) for one in figures.adapters if one.since),
        curves=tuple(_curves(figures)),
    )


def _curves(figures: Figures) -> Iterator[Curve]:
    spans = figures.over_time
    limit = figures.contract.max_bad_rate if figures.contract else None
    yield Curve("questions", "count", tuple(span.asked for span in spans))
    yield Curve("local share", "share", tuple(span.local_share for span in spans))
    for name, rates in (
        ("bad, given to you", [span.given for span in spans]),
        ("bad, all made", [span.compared for span in spans]),
    ):
        yield Curve(name, "share", tuple(one.rate for one in rates), tuple(one.interval for one in rates), limit)
    yield Curve("divergence", "divergence", tuple(span.divergence for span in spans))
    yield Curve("median wait", "seconds", tuple(span.median_seconds for span in spans))
    yield Curve("tokens, local", "count", tuple(span.local_tokens for span in spans))
    yield Curve(f"tokens, {figures.teacher}", "count", tuple(span.teacher_tokens for span in spans))
    yield Curve("spent", "usd", tuple(span.spent_usd for span in spans))
    yield Curve("saved", "usd", tuple(span.saved_usd for span in spans))


def _adapters(figures: Figures) -> Section:
    names_base = len({one.base for one in figures.adapters}) > 1
    notes = [f"Trainings: {', '.join(f'{count} {state}' for state, count in figures.trainings.items())}."]
    return Section(
        "Adapters",
        ("active", "because of", "since", "judged", "bad"),
        tuple(_applied_row(one, names_base) for one in figures.adapters[-NEWEST:]),
        tuple(notes) if figures.trainings else (),
        left=2,
    )


def _applied_row(one: Applied, names_base: bool) -> Row:
    names = " + ".join(name if scale == 1 else f"{name}:{scale:g}" for name, scale in one.adapters)
    since = day_of(one.since) if one.since else "the first"
    active = f"{names or 'the bare base'}{f' on {one.base}' if names_base else ''}"
    return Row((active, one.why, since, f"{one.judged.judged:,}", percent(one.judged.rate)))


def _tokens(figures: Figures) -> Section:
    rows = (
        Row(
            (
                f"{_side(figures, one.side)}, {'given to you' if one.is_given else 'not shown'}",
                f"{one.answers:,}",
                f"{one.prompt_tokens:,}",
                f"{one.completion_tokens:,}",
            )
        )
        for one in figures.tokens
    )
    return Section("Tokens", ("", "answers", "read", "written"), tuple(rows))


def _seconds(figures: Figures) -> Section:
    rows = (
        Row((_side(figures, one.side), *map(duration, (one.median, one.ninetieth, one.total))))
        for one in figures.seconds
    )
    speeds = (one.tokens_per_second for one in figures.seconds)
    notes = (f"The local model wrote {speed:.0f} tokens a second, reading included." for speed in speeds if speed)
    return Section("Waiting", ("", "half within", "9 of 10 within", "in all"), tuple(rows), tuple(notes))


def _ratings(figures: Figures) -> Section:
    rows = (
        Row((_side(figures, one.side), f"{one.good:,}", f"{one.medium:,}", f"{one.critical:,}"))
        for one in figures.ratings
    )
    return Section("Your ratings", ("", "good", "medium", "critical"), tuple(rows))


def _blind(figures: Figures) -> Section:
    rows = (
        Row((f"{one.one} or {one.other}", f"{one.picked_one:,}", f"{one.picked_other:,}", f"{one.as_good:,}"))
        for one in figures.blind
    )
    return Section("Picked blind", ("", "first", "second", "as good"), tuple(rows))
