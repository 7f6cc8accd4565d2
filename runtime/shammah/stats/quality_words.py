"""Quality, divergence and calibration in words."""

from collections.abc import Iterator

from shammah import policy, quality
from shammah.divergence import Method
from shammah.stats.estimates import BINS, Calibration, Rate
from shammah.stats.figures import ContractFigure, Divergences, Figures
from shammah.stats.numbers import between, percent, plural
from shammah.stats.sections import Row, Section

BY_SIMILARITY = "Estimated by similarity: no user's and no judge's word stands behind these."
METHODS: dict[str, str] = {
    Method.SEMANTIC: "by meaning",
    Method.BLEU: "by words",
    Method.EXACT: "to the letter",
    Method.SYNTAX: "by code",
    Method.JUDGE: "by the judge",
}


def quality_section(figures: Figures) -> Section:
    """The contract, and how many local answers were bad."""
    found = figures.quality
    rates = (("given to you", found.given), ("all that were made", found.compared))
    return Section(
        "Quality of local answers",
        ("", "judged", "bad", "share", "95% interval"),
        tuple(_rate_row(name, one) for name, one in rates if one.judged),
        (*_contract_notes(figures.contract), *_evidence_notes(figures)),
    )


def _rate_row(name: str, one: Rate) -> Row:
    cells = (name, f"{one.judged:,}", f"{one.bad:,}", percent(one.rate), between(one.interval))
    return Row(cells, one.rate)


def _contract_notes(contract: ContractFigure | None) -> Iterator[str]:
    if contract is None:
        return
    if contract.standing is None or contract.max_bad_rate is None:
        yield 'Contract: off, as quality.max_bad_rate = "off" has it.'
        return
    yield f"Contract of {contract.base}: {quality.in_words(contract.standing, contract.max_bad_rate)}."
    if not contract.is_in_force:
        yield (
            f"It sets the thresholds from question {policy.CAUTIOUS_QUESTIONS} on;"
            f" {plural(contract.questions, 'question')} counted so far."
        )


def _evidence_notes(figures: Figures) -> Iterator[str]:
    found = figures.quality
    if not found.compared.judged:
        theirs = f"{figures.teacher}'s"
        yield f"No local answer was judged yet: that takes a comparison with {theirs}, or `shammah feedback`."
        return
    told = (f"{_judge_in_words(source)} ({count:,})" for source, count in found.sources.items())
    yield f"Judged {', '.join(told)}."
    if found.compared.is_by_similarity:
        yield BY_SIMILARITY
    elif found.given.is_by_similarity:
        yield "Of those given to you, the share is estimated by similarity."


def _judge_in_words(source: str) -> str:
    return "by you" if source == "user" else METHODS.get(source, f"by {source}")


def divergence_section(figures: Figures) -> Section:
    """How far local answers were from the teacher's."""
    return Section(
        "Divergence from the teacher's answers",
        ("measured", "compared", "mean", "median", "worse"),
        tuple(map(_divergence_row, figures.divergence)),
    )


def _divergence_row(one: Divergences) -> Row:
    cells = (METHODS[one.method], f"{one.compared:,}", f"{one.mean:.2f}", f"{one.median:.2f}", f"{one.worse:,}")
    return Row(cells, one.mean)


def calibration_section(head: str, found: Calibration) -> Section:
    """What a head said beside what turned out."""
    title = f"Calibration of the {head}"
    if found.error is None:
        return Section(title)
    rows = (
        Row(
            (
                f"{one.low:.1f} to {one.low + 1 / BINS:.1f}",
                f"{one.judged:,}",
                f"{one.said:.2f}",
                f"{one.good:.2f}",
                f"{one.interval.low:.2f} to {one.interval.high:.2f}",
            ),
            one.good,
        )
        for one in found.bins
    )
    note = f"Expected calibration error {found.error:.3f}, over {plural(found.judged, 'judged answer')}."
    return Section(
        title, (f"{head} said", "judged", "mean", "good", "95% interval"), tuple(rows), (note,), reliability=found
    )
