"""The live watch: a promoted adapter whose answers turn out bad more often than before is rolled back."""

from collections.abc import Iterable, Sequence
from math import comb

from shammah.journal import Journal
from shammah.records.adapters import Counts, Judged, Watched

ALPHA = 0.01
"""So unlikely must it be that chance alone made the answers since the promotion so bad."""
LEAST_JUDGED = 20
"""Fewer judged answers since the promotion are no evidence."""


def look(journal: Journal, base: str) -> bool:
    """Go back from a base's promotion where its answers became worse, which the next command says; whether it did.

    What a user chose is not watched, nor what a rollback brought back.
    """
    watched = journal.watch.promotion(base)
    if watched is None:
        return False
    kinds = journal.watch.judged(watched)
    if not rose(kinds):
        return False
    why = numbers(kinds)
    return journal.watch.take_back(watched, why, _notice(watched, why)) is not None


def rose(kinds: Sequence[Judged]) -> bool:
    """Whether answers have been bad more often since a promotion than before it; without evidence they have not."""
    return _total(kind.after for kind in kinds).judged >= LEAST_JUDGED and p_value(kinds) <= ALPHA


def p_value(kinds: Sequence[Judged]) -> float:
    """How likely it is that so many of the bad answers, or more, fall after a promotion that changed nothing.

    Fisher's exact test, one-sided. Each kind of judgement has a bad rate of its own, as users rate what annoys them:
    what each deals by chance is added up (Zelen 1971, the exact test over strata), and no shift between kinds counts.
    """
    chances = [1.0]
    for kind in kinds:
        chances = _added(chances, _dealt(kind))
    return min(1.0, sum(chances[_total(kind.after for kind in kinds).bad :]))


def _dealt(kind: Judged) -> list[float]:
    """P(so many of a kind's bad answers fall after the promotion) by their number: the hypergeometric distribution."""
    both = _total([kind.before, kind.after])
    ways, after = comb(both.judged, kind.after.judged), kind.after.judged
    return [comb(both.bad, bad) * comb(both.judged - both.bad, after - bad) / ways for bad in range(after + 1)]


def _added(some: Sequence[float], others: Sequence[float]) -> list[float]:
    """The distribution of the sum of two independent counts."""
    found = [0.0] * (len(some) + len(others) - 1)
    for count, chance in enumerate(some):
        for more, its_chance in enumerate(others):
            found[count + more] += chance * its_chance
    return found


def numbers(kinds: Sequence[Judged]) -> str:
    """What the judgements say, in words."""
    before, after = _total(kind.before for kind in kinds), _total(kind.after for kind in kinds)
    return (
        f"{after.bad} of {after.judged} judged answers were bad, {before.bad} of {before.judged} before"
        f" (p = {p_value(kinds):.2g})"
    )


def _notice(watched: Watched, why: str) -> str:
    names = " + ".join(name for name, _ in watched.active)
    undo = f"`shammah adapters use {' '.join(f'{name}:{scale:g}' for name, scale in watched.active)}` overrules."
    return f"{names} was rolled back: {why}. {undo}"


def _total(counts: Iterable[Counts]) -> Counts:
    found = list(counts)
    return Counts(sum(each.bad for each in found), sum(each.judged for each in found))
