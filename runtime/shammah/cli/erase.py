"""`shammah log erase`: what is to be no more, with every copy that was made of it."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from shammah import config
from shammah.cli import complete, filters
from shammah.cli.screen import harmless, say
from shammah.cli.typed import clean
from shammah.cli.unload import unload
from shammah.errors import UsageError

if TYPE_CHECKING:
    from shammah.erasing import Erasure
    from shammah.journal import Journal
    from shammah.journal.log import Filter

Id = Annotated[
    str | None, typer.Argument(metavar="[ID]", help="One question with its answers.", autocompletion=complete.questions)
]
Everything = Annotated[bool, typer.Option("--all", help="Everything that was asked, answered and learnt.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; needed without a terminal.")]


def erase(
    id: Id = None,
    everything: Everything = False,
    yes: Yes = False,
    since: filters.Since = None,
    until: filters.Until = None,
    side: filters.Answered = None,
    reason: filters.Why = None,
    rating: filters.Rated = None,
    adapter: filters.Applied = None,
    search: filters.Words = None,
) -> None:
    """Erase one answer, those that the options mean, or everything: examples, lessons and copies with it.

    Questions that went on from an erased one hold its words, and go too. It cannot be undone.
    """
    from shammah import erasing
    from shammah.journal import Journal

    wanted = filters.read(since, until, side, reason, rating, adapter, search)
    settings = config.load()
    with Journal(settings.home) as journal:
        if _is_all(id, everything, wanted):
            erasure = erasing.plan_everything(settings.home, journal)
        else:
            erasure = erasing.plan(settings.home, journal, _numbers(journal, id, wanted))
            if not erasure.doomed.questions:
                say("Nothing is meant by that; nothing was erased.")
                return
        for line in told(erasure):
            say(line)
        confirm(yes)
        is_compact = erasing.carry_out(settings.home, journal, erasure, settings.heads.learner)
        for line in after(erasure, is_compact):
            say(line)
        unload(settings, journal)


def _is_all(id: str | None, everything: bool, wanted: "Filter") -> bool:
    """Whether everything is meant; what is meant is said in exactly one way."""
    from shammah.journal.log import EVERYTHING

    ways = [id is not None, everything, wanted != EVERYTHING]
    if sum(ways) != 1:
        raise UsageError(
            "what is to be erased?" if not any(ways) else "an id, --all and options exclude each other",
            hint="Give an id (see `shammah log`), options such as --since 7d or --search WORD, or --all.",
        )
    return everything


def _numbers(journal: "Journal", id: str | None, wanted: "Filter") -> list[int]:
    if id is None:
        return [question.number for question in journal.log.find(None, wanted)]
    question = journal.question(clean(id))
    if question is None:
        raise UsageError(f"no one question has the id {id!r}", hint="See `shammah log`.")
    return [question.number]


def told(erasure: "Erasure") -> list[str]:
    """What goes, before anything does."""
    doomed = erasure.doomed
    counts = [
        _count(len(doomed.questions), "question"),
        _count(doomed.answers, "answer"),
        _count(len(doomed.examples), "example"),
        _count(doomed.ratings, "rating"),
        _count(doomed.lessons, "lesson"),
        f"copies of {jobs}" if (jobs := _count(len(erasure.jobs), "training")) else "",
        _count(len(erasure.checkpoints), "checkpoint"),
        _count(len(erasure.copies), "earlier copy of the database", "earlier copies of the database"),
    ]
    lines = [f"To be erased: {', '.join(count for count in counts if count) or 'nothing that was asked'}."]
    if doomed.followers and not erasure.is_everything:
        lines.append(f"{_count(doomed.followers, 'question')} of them went on from others, and hold their words.")
    if erasure.is_everything:
        names = f" ({', '.join(erasure.adapters)})" if erasure.adapters else ""
        lines.append(f"Also all adapters{harmless(names)}, router and validator, metrics, and what was cached.")
        lines.append("What was spent and config.toml stay, and so do model files.")
    return lines


def after(erasure: "Erasure", is_compact: bool = True) -> list[str]:
    """What was done, and what still knows of it."""
    lines = ["Erased, and overwritten in the database. Backups and snapshots of the disk are not ours to reach."]
    if not is_compact:
        lines.append("The database could not be written anew: pages from earlier days may hold what was deleted then.")
    if erasure.is_everything:
        return lines
    if erasure.doomed.lessons:
        lines.append(
            "Router and validator were learnt again without it (as `shammah heads refit` does, from what is left)."
        )
    if erasure.adapters:
        names = ", ".join(erasure.adapters)
        lines.append(f"Learnt from it, and still here: {harmless(names)}. To have a model that has not:")
        lines += [
            "  shammah adapters use none",
            *(f"  shammah adapters delete {harmless(n)}" for n in erasure.adapters),
        ]
        lines.append("  shammah train    # anew, from what is left")
    return lines


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}" if number else ""


def confirm(yes: bool, verb: str = "erase") -> None:
    """Ask on a terminal; without one, nothing is erased unasked."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"nobody can be asked here; nothing was {verb}d", hint=f"Give --yes to {verb} without asking.")
    if not typer.confirm(f"{verb.capitalize()} it? This cannot be undone.", err=True):
        say(f"Nothing was {verb}d.")
        raise typer.Exit(1)
