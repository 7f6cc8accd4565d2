"""`shammah checkpoint`: heads, adapters and metrics as they were, and the way back."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shammah import config, times
from shammah.cli import complete
from shammah.cli.screen import say, tell, write
from shammah.cli.typed import MOST
from shammah.cli.unload import unload
from shammah.errors import UsageError

if TYPE_CHECKING:
    from shammah.journal import Journal
    from shammah.records.heads import Checkpoint

app = typer.Typer(help="List, show and go back to checkpoints of what was learnt.", no_args_is_help=True)

Number = Annotated[
    int,
    typer.Argument(
        metavar="NUMBER",
        min=1,
        max=MOST,
        help="As `checkpoint list` shows it.",
        autocompletion=complete.checkpoints,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@app.command("list")
def list_checkpoints(as_json: AsJson = False) -> None:
    """List the checkpoints, oldest first: number, when, after how many questions, why, of which model."""
    from shammah.journal import Journal

    with Journal(config.load().home) as journal:
        found = journal.checkpoints.all()[::-1]
        if as_json:
            write(json.dumps([_row(journal, checkpoint) for checkpoint in found]))
        elif not found:
            say("There are no checkpoints yet: one is made every 100 questions, and before every promotion.")
        else:
            tell("\n".join(_line(journal, checkpoint) for checkpoint in found))


@app.command()
def show(number: Number, as_json: AsJson = False) -> None:
    """Show one checkpoint: its heads, its adapters, and how well both heads did then."""
    from shammah import checkpoints
    from shammah.journal import Journal

    with Journal(config.load().home) as journal:
        checkpoint = _find(journal, number)
        contents = checkpoints.read(checkpoint)
        row = _row(journal, checkpoint) | {
            "heads": {name: {"file": kept.file, "last_lesson": kept.cursor} for name, kept in contents.heads.items()},
            "adapters": [list(one) for one in contents.active],
            "metrics": contents.metrics,
            "bytes": checkpoints.size_bytes(checkpoint),
        }
        if as_json:
            write(json.dumps(row))
        else:
            tell("\n".join(_lines(row | {"created": times.to_second(checkpoint.created)})))


@app.command()
def rollback(number: Number) -> None:
    """Go back to a checkpoint, from the next answer on; what was before is a checkpoint too, so that it can be undone.

    Lessons from between are left out of the heads, and stay in the journal.
    """
    from shammah.checkpoints import Keeper
    from shammah.journal import Journal
    from shammah.learning import Heads

    settings = config.load()
    with Journal(settings.home) as journal:
        checkpoint = _find(journal, number)
        heads = Heads(settings.home, journal, checkpoint.lineage, settings.heads.learner)
        before = Keeper(settings.home, journal, heads, checkpoint.lineage).roll_back(checkpoint)
        say(
            f"Heads and adapters of {_base(journal, checkpoint)} are as in checkpoint {number} from the next answer on."
        )
        say(f"To undo this: shammah checkpoint rollback {before.number}")
        unload(settings, journal)


def _find(journal: "Journal", number: int) -> "Checkpoint":
    checkpoint = journal.checkpoints.find(number)
    if checkpoint is None:
        raise UsageError(f"there is no checkpoint {number}", hint="See `shammah checkpoint list`.")
    return checkpoint


def _row(journal: "Journal", checkpoint: "Checkpoint") -> dict[str, Any]:
    return {
        "number": checkpoint.number,
        "created": checkpoint.created,
        "base": _base(journal, checkpoint),
        "lineage": checkpoint.lineage,
        "questions": checkpoint.questions,
        "why": checkpoint.why,
        "folder": checkpoint.folder,
    }


def _line(journal: "Journal", checkpoint: "Checkpoint") -> str:
    when = times.to_minute(checkpoint.created)
    questions = f"{checkpoint.questions} question{'s' * (checkpoint.questions != 1)}"
    return f"{checkpoint.number:>4}  {when}  {questions:<14} {checkpoint.why}, {_base(journal, checkpoint)}"


def _base(journal: "Journal", checkpoint: "Checkpoint") -> str:
    base = journal.bases.find(checkpoint.lineage)
    return base.name if base else checkpoint.lineage[:12]


def _lines(row: dict[str, Any]) -> list[str]:
    """A row as lines; what is within a value stands below its name."""
    lines: list[str] = []
    for key, value in row.items():
        if isinstance(value, dict):
            lines += [key, *(f"  {name:<25} {_words(inner)}" for name, inner in value.items())]
        else:
            lines.append(f"{key:<10} {_words(value)}")
    return lines


def _words(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
