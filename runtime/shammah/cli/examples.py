"""`shammah examples`: what the local model is to learn."""

from typing import TYPE_CHECKING, Annotated

import typer

from shammah import config
from shammah.cli.log import shorten
from shammah.cli.screen import harmless, say, write
from shammah.cli.typed import clean, read_stdin
from shammah.errors import UsageError

if TYPE_CHECKING:
    from shammah.journal import Journal
    from shammah.records import KeptExample

HEAVIEST = 1000.0

app = typer.Typer(help="Show and change what the local model is to learn.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="The id, or its beginning.")]
Answer = Annotated[str | None, typer.Option("--answer", metavar="TEXT", help="The new target; - reads it from stdin.")]
Weight = Annotated[
    float | None, typer.Option("--weight", min=0.01, max=HEAVIEST, help="How often it is drawn, beside others.")
]


@app.command("list")
def list_examples() -> None:
    """List the examples, oldest first: id, weight, where from, state, question, target."""
    from shammah.journal import Journal

    with Journal(config.load().home) as journal:
        kept = journal.examples.all()
        if not kept:
            say("There are no examples yet: rate an answer with `shammah feedback`.")
            return
        write("\n".join(_two_lines(example) for example in kept))


@app.command()
def show(id: Id) -> None:
    """Show one example: the conversation, the target, and what was rejected."""
    from shammah.journal import Journal

    with Journal(config.load().home) as journal:
        kept = _find(journal, id)
        example = kept.example
        parts = [f"{example.id}  {example.created}  weight {example.weight:g}, {example.source}, {kept.state}"]
        parts += [f"[{message.role}] {message.content}" for message in example.prompt]
        parts += [f"[target] {_target(kept)}"]
        parts += [f"[rejected] {message.content}" for message in example.rejected or ()]
        write(harmless("\n\n".join(parts)))


@app.command()
def edit(id: Id, answer: Answer = None, weight: Weight = None) -> None:
    """Change an example's target or weight; without an option, the target opens in $EDITOR."""
    from shammah.journal import Journal
    from shammah.privacy import Redactor

    with Journal(config.load().home) as journal:
        kept = _find(journal, id)
        before = "".join(message.content for message in kept.example.completion)
        target = _edited(before) if answer is None and weight is None else _given(answer, before)
        if not target.strip():
            raise UsageError("an example without a target teaches nothing", hint="Give one with --answer TEXT.")
        rejected = [message.content.split() for message in kept.example.rejected or ()]
        if target.split() in rejected:
            raise UsageError("this target is the answer that was rejected", hint="Give another with --answer TEXT.")
        target = Redactor().redact(target.strip())
        journal.examples.edit(kept.example.id, target, weight or kept.example.weight)
        say(f"{kept.example.id} is learnt with weight {weight or kept.example.weight:g}.")


@app.command()
def drop(id: Id) -> None:
    """Take an example out; it is not learnt any more."""
    from shammah.journal import Journal

    with Journal(config.load().home) as journal:
        kept = _find(journal, id)
        journal.examples.drop(kept.example.id)
        say(f"{kept.example.id} is dropped.")


def _find(journal: "Journal", id: str) -> "KeptExample":
    kept = journal.examples.find(id)
    if kept is None:
        raise UsageError(f"no one example has the id {id!r}", hint="See `shammah examples list`.")
    return kept


def _edited(before: str) -> str:
    """The text as it comes back from the editor; as it was where nothing was saved."""
    import click

    try:
        after = click.edit(before + "\n")
    except click.ClickException as error:
        raise UsageError(f"the editor failed: {error.message}", hint="Set EDITOR, or use --answer TEXT.") from error
    return before if after is None else clean(after)


def _given(answer: str | None, before: str) -> str:
    if answer is None:
        return before
    return read_stdin() if answer == "-" else clean(answer)


def _two_lines(kept: "KeptExample") -> str:
    example = kept.example
    head = f"{example.id}  {example.weight:>4g}x  {example.source:<7}  {kept.state:<7}  "
    return f"{head}{shorten(example.prompt[-1].content, len(head))}\n    {shorten(_target(kept), 4)}"


def _target(kept: "KeptExample") -> str:
    return "".join(message.content for message in kept.example.completion) or "(no target yet)"
