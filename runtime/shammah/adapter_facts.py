"""What there is to know of an adapter."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shammah.journal import Journal
    from shammah.records.adapters import Adapter


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
    found = journal.bases.find(base)
    return found.name if found else base[:12]
