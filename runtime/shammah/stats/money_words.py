"""Dollars in words."""

from collections.abc import Iterator

from shammah.stats.figures import Figures
from shammah.stats.money import Assumption, Money
from shammah.stats.numbers import plural, usd
from shammah.stats.sections import Row, Section


def money_section(figures: Figures) -> Section:
    """What was spent, on what, and what was saved."""
    money = figures.money
    amounts = (
        ("spent", money.spent_usd),
        ("  on answers", money.answers_usd),
        ("  on comparisons", money.comparisons_usd),
        ("  on the judge", money.judge_usd),
        ("  on the rest", money.other_usd),
        ("saved", money.saved_usd),
        ("  by the router", money.saved_by_routing_usd),
        ("saved, less what learning cost", money.net_usd),
    )
    if not money.spent_usd and not money.local_answers:
        return Section("Dollars", notes=tuple(_reserved(money)))
    return Section(
        "Dollars",
        ("", "US$"),
        tuple(Row((name, usd(amount))) for name, amount in amounts),
        (*_reserved(money), *_assumed(money, figures.teacher)),
    )


def _reserved(money: Money) -> Iterator[str]:
    if money.reserved_usd:
        yield f"At most {usd(money.reserved_usd)} more was set aside for calls whose cost was never told."


def _assumed(money: Money, who: str) -> Iterator[str]:
    """What saved rests on."""
    if not money.local_answers:
        return
    known = money.assumption
    if known.input_usd is None or known.output_usd is None:
        yield f"What the local answers saved is not known: the catalog has no list price for {known.teacher}."
        return
    answers = plural(money.local_answers, "local answer")
    yield (
        f"Saved is what {answers} would have cost at {known.teacher}'s list price of {known.prices_of}"
        f" (${known.input_usd:g} and ${known.output_usd:g} a million tokens read and written),"
        f" {_tokens(known, who)}."
    )


def _tokens(known: Assumption, who: str) -> str:
    if not known.pairs:
        return f"if {who} took as many tokens as the local model"
    return (
        f"if {who} took {known.prompt_ratio:.2f} times the local model's tokens to read and"
        f" {known.completion_ratio:.2f} times to write, as in {plural(known.pairs, 'question')} that both answered"
    )
