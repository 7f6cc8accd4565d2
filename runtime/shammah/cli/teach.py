"""`shammah teach`: the teacher finds out where the local model is weak, and teaches it."""

import contextlib
import math
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shammah import config
from shammah.amounts import dollars
from shammah.cli import complete
from shammah.cli.screen import say, write
from shammah.cli.teaching_view import Board, Lines, Shown
from shammah.cli.typed import clean
from shammah.errors import KeyMissing, TrainerMissing, UsageError, fitting

if TYPE_CHECKING:
    from shammah.settings import Settings
    from shammah.teaching.classroom import Classroom
    from shammah.teaching.loop import Ended

DEFAULT_BUDGET_USD = 0.50
INSTEAD = "learn from your own corrections with `shammah train`"

Focus = Annotated[str | None, typer.Argument(metavar="[FOCUS]", help='What to dwell on: "git", "our make targets".')]
Rounds = Annotated[int, typer.Option("--rounds", min=1, max=100, help="At most.")]
Budget = Annotated[float, typer.Option("--budget", metavar="USD", min=0.0, help="What all its calls may cost.")]
Accept = Annotated[bool, typer.Option("--accept", help="Let what the teacher writes be learnt without a look at it.")]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="PATH", help="The GGUF that is taught.", autocompletion=complete.models),
]


def teach(
    focus: Focus = None,
    rounds: Rounds = 3,
    budget: Budget = DEFAULT_BUDGET_USD,
    accept: Accept = False,
    model: Model = None,
) -> None:
    """Let the teacher teach the local model: find what is weak, write examples, train, verify, and again.

    Without --accept the examples wait until you have looked at them. A round that makes things worse is taken back.
    """
    from shammah.hardware import BusyMeter
    from shammah.journal import Journal

    if not math.isfinite(budget):
        raise UsageError(f"--budget is {budget}", hint="It takes an amount of dollars, such as 0.50.")
    settings = config.load(model__path=model)
    with fitting(INSTEAD), Journal(settings.home) as journal, _shown(settings) as shown:
        from shammah.assembly import Parts
        from shammah.teacher import called
        from shammah.teaching import classroom, loop

        parts = Parts(settings, journal, BusyMeter(), say)
        room = classroom.of_parts(parts, "teach", called(settings.teacher.model).lower(), budget, shown.hear, say)
        _check(room)
        try:
            ended = loop.run(room, loop.Plan(rounds, accept, clean(focus or "").strip()), shown.hear)
        finally:
            parts.close()
    _finish(ended, room)


def _check(room: "Classroom") -> None:
    """Refuse before anything is begun."""
    from shammah import schedule

    if room.claude.is_offline:
        raise UsageError(
            f"teaching asks {room.claude.who}, and nothing may leave this machine", hint="Leave offline mode."
        )
    if not room.claude.model:
        raise KeyMissing(f"{room.claude.who} teaches, and there is no key", hint=f"Set {_key(room)}.")
    if not schedule.is_installed(room.settings):
        raise TrainerMissing("the trainer is not installed")


def _key(room: "Classroom") -> str:
    """The variable in which the teacher's key is looked for."""
    from shammah.teacher.access import KEY_VARIABLES

    return KEY_VARIABLES[room.settings.teacher.provider]


@contextlib.contextmanager
def _shown(settings: "Settings") -> Iterator[Shown]:
    """A board on a terminal, lines elsewhere."""
    from shammah.teacher import called

    who = called(settings.teacher.model)
    if not sys.stdout.isatty():
        yield Lines(who)
        return
    board = Board(who)
    try:
        yield board
    finally:
        board.close()


def _finish(ended: "Ended", room: "Classroom") -> None:
    better = sum(each.effect == "better" for each in ended.rounds)
    facts: list[Any] = [f"{len(ended.rounds)} round{'s' * (len(ended.rounds) != 1)}, {better} with a gain"]
    facts.append(f"{dollars(room.claude.spent_usd)} of {dollars(room.claude.budget_usd)} spent")
    write(f"Stopped: {ended.reason} ({'; '.join(facts)}).")
