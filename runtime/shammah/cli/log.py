"""`shammah log`: what was asked and answered."""

import sys
from typing import Annotated

import typer

from shammah import config
from shammah.cli.screen import harmless, width
from shammah.errors import UsageError

app = typer.Typer(help="Show the last questions and their answers.", no_args_is_help=False)

Count = Annotated[int, typer.Option("-n", "--number", min=1, help="How many to show.")]


@app.callback(invoke_without_command=True)
def last(context: typer.Context, number: Count = 10) -> None:
    """Show the last questions and their answers."""
    if context.invoked_subcommand is None:
        _list((), number)


@app.command()
def show(id: Annotated[str, typer.Argument(help="The id, or its beginning.")]) -> None:
    """Show one question with every answer that it got."""
    from shammah.journal import Journal

    with Journal(config.load().home) as journal:
        question = journal.question(id)
        if question is None:
            raise UsageError(f"no one question has the id {id!r}", hint="See `shammah log`.")
        typer.echo(f"{question.id}  {question.created}\n")
        for message in question.context:
            typer.echo(harmless(f"[{message.role}] {message.content}\n"))
        for answer in journal.answers(question):
            marks = [
                "shown" if answer.is_shown else "not shown",
                "verified" if answer.is_verified else "unverified",
            ]
            if answer.divergence is not None:
                marks.append(f"divergence {answer.divergence:.2f} ({answer.method})")
            typer.echo(f"[{answer.side}: {answer.model}, {answer.reason}, {answer.finish}, {', '.join(marks)}]")
            typer.echo(harmless(answer.text) + "\n")


@app.command()
def search(
    words: Annotated[list[str], typer.Argument(help="All of them must occur in the question or the answer.")],
    number: Count = 20,
) -> None:
    """Find questions by words in them or in their answers."""
    _list(tuple(words), number)


def _list(words: tuple[str, ...], number: int) -> None:
    from shammah.journal import Journal

    with Journal(config.load().home) as journal:
        questions = journal.recent(number, words)
        if not questions:
            typer.echo("Nothing found." if words else "Nothing asked yet.", err=True)
        for question in reversed(questions):
            answer = journal.shown(question)
            side = answer.side if answer else "-"
            first_line = (answer.text if answer else "(no answer)").strip().partition("\n")[0]
            head = f"{question.id}  {question.created[:16].replace('T', ' ')}  {side:<7}  "
            typer.echo(head + _shorten(question.text, len(head)))
            typer.echo("    " + _shorten(first_line, 4))


def _shorten(text: str, indent: int) -> str:
    """One line that fits the terminal, or 120 columns elsewhere."""
    import shutil

    line = " ".join(harmless(text).split())
    room = max(20, (shutil.get_terminal_size().columns if sys.stdout.isatty() else 120) - indent)
    while width(line) > room:
        line = line[: -(width(line) - room) - 1].rstrip() + "…"
    return line
