"""Adapters as lines of a list, as a tree, and as JSON."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shammah.cli.log import shorten
from shammah.cli.screen import harmless, width

if TYPE_CHECKING:
    from shammah.journal import Journal
    from shammah.records import Adapter


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


def state(journal: "Journal", adapter: "Adapter") -> str:
    """Whether an adapter is active, and at which scale."""
    scales = dict(journal.adapters.active(adapter.base))
    if adapter.name not in scales:
        return "rolled back by the watch" if journal.watch.taken_back(adapter) else "not active"
    scale = scales[adapter.name]
    return "active" if scale == 1.0 else f"active at {scale:g}"


def as_object(journal: "Journal", adapter: "Adapter") -> dict[str, Any]:
    """An adapter for JSON."""
    domain = journal.domains.of(adapter.name)
    return {
        "name": adapter.name,
        "base": adapter.base,
        "base_name": base_name(journal, adapter.base),
        "state": state(journal, adapter),
        "scale": dict(journal.adapters.active(adapter.base)).get(adapter.name),
        "training": adapter.training,
        "parent": adapter.parent,
        "examples": journal.adapters.examples(adapter),
        "scores": adapter.scores,
        "domain": None if domain is None else {"reach": domain.reach, "questions": domain.questions},
        "created": adapter.created,
        "file": adapter.path,
        "sha256": adapter.sha256,
    }


def base_name(journal: "Journal", base: str) -> str:
    """What a model is called; the beginning of its hash where nobody knows it any more."""
    found = journal.base(base)
    return found.name if found else base[:12]


def _whence(journal: "Journal", adapter: "Adapter") -> list[str]:
    return [base_name(journal, adapter.base), adapter.created[:10]]


def _line(head: str, facts: Sequence[str]) -> str:
    """A head and what follows it; on a terminal it takes one line."""
    words = ", ".join(facts)
    return harmless(head + (shorten(words, width(head)) if sys.stdout.isatty() else words))


def _count(examples: int) -> str:
    return f"{examples} example{'s' * (examples != 1)}"
