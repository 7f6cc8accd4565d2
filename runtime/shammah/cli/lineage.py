"""Adapters as lines of a list, as a tree, and as JSON."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shammah import times
from shammah.adapter_facts import base_name, state
from shammah.cli.log import shorten
from shammah.cli.screen import harmless, width

if TYPE_CHECKING:
    from shammah.journal import Journal
    from shammah.records.adapters import Adapter


def listed(journal: "Journal", adapters: "Sequence[Adapter]") -> list[str]:
    """A line for each adapter: name, state, examples, scores, model."""
    widest = max(width(adapter.name) for adapter in adapters)
    return [_line(f"{one.name:<{widest}}  ", [*facts(journal, one), *_whence(journal, one)]) for one in adapters]


def drawn(
    journal: "Journal", adapters: "Sequence[Adapter]", marked: "Adapter | None" = None, indent: str = ""
) -> list[str]:
    """Adapters as a tree below their model, each below what was active when it was trained; one can be marked."""
    from shammah import lineage

    lines: list[str] = []
    for base in dict.fromkeys(adapter.base for adapter in adapters):
        lines.append(indent + base_name(journal, base))
        for branch in lineage.tree([adapter for adapter in adapters if adapter.base == base]):
            mark = "> " if branch.adapter == marked else "  "
            others = " + ".join(branch.others)
            told = [*facts(journal, branch.adapter), *([f"after {others}"] if others else [])]
            lines.append(_line(f"{indent}{mark}{branch.line}{branch.adapter.name}  ", told))
    return lines


def facts(journal: "Journal", adapter: "Adapter") -> list[str]:
    """What there is to know of an adapter at a glance."""
    learnt, drift = adapter.scores.get("learnt.exact"), adapter.scores.get("drift")
    return [
        state(journal, adapter),
        _count(len(journal.adapters.examples(adapter))) if adapter.training else "from a file",
        *([] if learnt is None else [f"{learnt:.0%} exact"]),
        *([] if drift is None else [f"drift {drift:.3f}"]),
        *([] if journal.domains.of(adapter.name) is None else ["has a domain"]),
    ]


def _whence(journal: "Journal", adapter: "Adapter") -> list[str]:
    return [base_name(journal, adapter.base), times.to_day(adapter.created)]


def _line(head: str, facts: Sequence[str]) -> str:
    """A head and what follows it; on a terminal it takes one line."""
    words = ", ".join(facts)
    return harmless(head + (shorten(words, width(head)) if sys.stdout.isatty() else words))


def _count(examples: int) -> str:
    return f"{examples} example{'s' * (examples != 1)}"
