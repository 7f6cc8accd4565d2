"""Which adapter came after which: below each stand those that were trained while it was active."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shammah.records.adapters import Adapter


@dataclass(frozen=True, slots=True)
class Branch:
    """An adapter in the tree.

    Attributes:
        line: What is drawn before its name.
        others: What else was active when it was trained, by name: beside the one above it, or gone.
    """

    line: str
    adapter: Adapter
    others: tuple[str, ...]


def parents(adapter: Adapter, adapters: Sequence[Adapter]) -> list[Adapter]:
    """What was active when an adapter was trained, as far as it is here; of one from outside nothing is known."""
    # Another one can have come under the name of a parent that was deleted.
    here = {one.name: one for one in adapters if one.base == adapter.base and one.created <= adapter.created}
    return [here[name] for name in _named(adapter) if name in here and name != adapter.name] if adapter.training else []


def tree(adapters: Sequence[Adapter]) -> list[Branch]:
    """All adapters, oldest first, each below the first of its parents."""
    above = {one.name: next(iter(parents(one, adapters)), None) for one in adapters}
    below = {one.name: [other for other in adapters if above[other.name] is one] for one in adapters}
    return [branch for one in adapters if above[one.name] is None for branch in _grown(one, None, "", "", below)]


def family(adapter: Adapter, adapters: Sequence[Adapter]) -> list[Adapter]:
    """An adapter with all that it comes from, and all that came from it; `adapters` are oldest first."""
    before, after = {adapter.name}, {adapter.name}
    for one in reversed(adapters):
        if one.name in before:
            before |= {parent.name for parent in parents(one, adapters)}
    for one in adapters:
        if any(parent.name in after for parent in parents(one, adapters)):
            after.add(one.name)
    return [one for one in adapters if one.name in before | after]


def _grown(
    adapter: Adapter, above: Adapter | None, line: str, indent: str, below: Mapping[str, Sequence[Adapter]]
) -> list[Branch]:
    """An adapter with all that is below it; before those the indent is drawn."""
    others = [name for name in _named(adapter) if above is None or name != above.name]
    found, children = [Branch(line, adapter, tuple(others))], below[adapter.name]
    for child in children:
        is_last = child is children[-1]
        mark, rest = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        found += _grown(child, adapter, indent + mark, indent + rest, below)
    return found


def _named(adapter: Adapter) -> list[str]:
    return adapter.parent.split("+") if adapter.parent else []
