"""`shammah examples accept` and `purge`: what came in from outside, let in or thrown out."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from shammah import config, times
from shammah.cli import complete
from shammah.cli.erase import confirm
from shammah.cli.screen import harmless, say
from shammah.cli.typed import clean
from shammah.cli.unload import unload
from shammah.errors import UsageError
from shammah.quarantine import OUTSIDE

if TYPE_CHECKING:
    from shammah.journal import Journal
    from shammah.purging import Purge
    from shammah.quarantine import Provenance
    from shammah.records.examples import KeptExample
    from shammah_convert.examples import Source

DOORS = ", ".join(OUTSIDE)
Door = Annotated[
    str | None, typer.Option("--source", metavar="DOOR", help=f"All that came by one of: {DOORS}.", show_default=False)
]
Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="These alone.", autocompletion=complete.examples)
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed without a terminal.")]


def accept(ids: Ids = None, source: Door = None) -> None:
    """Let what came in from outside be learnt: with the next training, at a fifth of its weight for each door."""
    from shammah.journal import Journal

    if bool(ids) == bool(source):
        raise UsageError("what is to be accepted?", hint=f"Give ids, or --source with one of {DOORS}.")
    with Journal(config.load().home) as journal:
        count = journal.quarantine.accept(door_of(source), None) if source else _accept(journal, ids or ())
        if source and not count:
            say(f"Nothing that came by {source} waits.")
            return
        more = "; `shammah train` learns them now." if count else "."
        say(f"{count} example{'s are' if count != 1 else ' is'} accepted{more}")
        for line in alike([kept for kept in journal.examples.all() if kept.state == "live"]):
            say(line)


def alike(kept: Iterable["KeptExample"]) -> list[str]:
    """Which of these came from outside and are alike: together they weigh more than each alone."""
    from shammah.planted import near_duplicates

    groups = near_duplicates(one.example for one in kept)
    return [f"Near-duplicates, with the same answer or nearly the same question: {', '.join(ids)}." for ids in groups]


def _accept(journal: "Journal", ids: Sequence[str]) -> int:
    from shammah.quarantine import is_outside

    found = [(id, journal.examples.find(clean(id))) for id in ids]
    for id, kept in found:
        if kept is None or not is_outside(kept.example) or kept.state not in ("waiting", "test"):
            raise UsageError(
                f"{id!r} is no one example that waits", hint="See `shammah examples list --state waiting`."
            )
    chosen = [kept.example for _, kept in found if kept is not None]
    return sum(journal.quarantine.accept(example.source, [example.id]) for example in chosen)


def purge(source: Door = None, yes: Yes = False) -> None:
    """Delete all that came by a door, accepted or not, and name the adapters that have learnt from it."""
    from shammah import purging
    from shammah.journal import Journal

    if source is None:
        raise UsageError("what is to be purged?", hint=f"Give --source with one of {DOORS}.")
    settings = config.load()
    with Journal(settings.home) as journal:
        found = purging.plan(settings.home, journal, door_of(source))
        if not found.examples:
            say(f"Nothing came by {source}; nothing was purged.")
            return
        count = len(found.examples)
        say(f"To be purged: {count} example{'s' * (count != 1)}, test questions among them, that came by {source}.")
        for line in _taught(found):
            say(line)
        confirm(yes, "purge")
        say(f"Purged: {purging.carry_out(settings.home, journal, found)}. They are not learnt any more.")
        unload(settings, journal)


def _taught(found: "Purge") -> list[str]:
    """What has learnt from what goes, and what to do about it."""
    if not found.adapters:
        return ["No adapter has learnt from them."]
    lines = [f"Learnt from by: {harmless(', '.join(found.adapters))}; these adapters stay."]
    if found.active:
        lines.append(
            f"{harmless(', '.join(found.active))} answers now. `shammah train --afresh` makes one without,"
            " `shammah adapters rollback` goes back, `shammah adapters use none` does without any."
        )
    return lines


def door_of(source: str) -> "Source":
    """A door by its name.

    Raises:
        UsageError: There is none of that name.
    """
    if source not in OUTSIDE:
        raise UsageError(f"nothing comes in by {source!r}", hint=f"It is one of {DOORS}.")
    return source


def provenance(journal: "Journal", kept: "KeptExample") -> list[str]:
    """Where an example comes from, for whoever looks at it; nothing for one of this machine's own."""
    found = journal.quarantine.provenance(kept.example.id)
    return [] if found is None else [_in_words(found, kept)]


def _in_words(found: "Provenance", kept: "KeptExample") -> str:
    origin = found.origin
    about = ", ".join(part for part in (origin.category, origin.difficulty, origin.focus) if part)
    since = f"accepted {times.to_second(found.accepted)}" if found.accepted else "not accepted"
    held = "; a test question, never learnt" if kept.state == "test" else ""
    received = times.to_second(found.received)
    return f"from {origin.author} by {origin.door}, batch {origin.batch} ({about}), {received}; {since}{held}"
