"""`shammah examples`: what the local model is to learn."""

import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from shammah import config, times
from shammah.cli import complete, quarantine
from shammah.cli.log import shorten
from shammah.cli.screen import harmless, json_line, say, write
from shammah.cli.typed import clean, edited, read_stdin
from shammah.errors import UsageError
from shammah_convert.examples import Source

if TYPE_CHECKING:
    from shammah.journal import Journal
    from shammah.records.examples import KeptExample

HEAVIEST = 1000.0
STATES = ("live", "unused", "pending", "waiting", "test", "dropped")

app = typer.Typer(help="Show and change what the local model is to learn.", no_args_is_help=True)
app.command("accept")(quarantine.accept)
app.command("purge")(quarantine.purge)

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="The id, or its beginning.", autocompletion=complete.examples)]
Answer = Annotated[str | None, typer.Option("--answer", metavar="TEXT", help="The new target; - reads it from stdin.")]
Weight = Annotated[
    float | None, typer.Option("--weight", min=0.01, max=HEAVIEST, help="How often it is drawn, beside others.")
]


From = Annotated[
    str | None, typer.Option("--source", metavar="SOURCE", help=f"Only those of {', '.join(get_args(Source))}.")
]
States = Annotated[
    str | None, typer.Option("--state", metavar="STATE", help=f"Only those that are {', '.join(STATES)}.")
]


@app.command("list")
def list_examples(source: From = None, state: States = None, as_json: AsJson = False) -> None:
    """List the examples, oldest first: id, weight, where from, state, question, target.

    Live ones are learnt; pending ones have no target yet; waiting ones came from outside and are to be accepted; test
    questions are never learnt; unused ones are too old, or overruled by others.
    """
    from shammah.journal import Journal

    for word, known, what in ((source, get_args(Source), "comes from"), (state, STATES, "is")):
        if word is not None and word not in known:
            raise UsageError(f"no example {what} {word!r}", hint=f"It is one of {', '.join(known)}.")
    settings = config.load()
    with Journal(settings.home) as journal:
        for notice in journal.notices.take():
            say(notice)
        kept = journal.examples.all()
        learnt = {e.id for e in journal.examples.live(settings.examples.feedback, settings.examples.teacher)}
        meant = [one for one in kept if source in (None, one.example.source) and state in (None, _state(one, learnt))]
        if as_json:
            write(json_line([_as_object(one, _state(one, learnt)) for one in meant]))
        elif meant:
            write("\n".join(_two_lines(one, _state(one, learnt)) for one in meant))
            for line in quarantine.alike(meant):
                say(line)
        elif kept:
            say("No example is so; `shammah examples list` has all.")
        else:
            say("There are no examples yet: rate an answer with `shammah feedback`.")


def _as_object(kept: "KeptExample", state: str) -> dict[str, str | float]:
    example = kept.example
    return {
        "id": example.id,
        "created": example.created,
        "weight": example.weight,
        "source": example.source,
        "state": state,
        "question": example.prompt[-1].content,
        "target": "".join(message.content for message in example.completion),
    }


@app.command()
def show(id: Id) -> None:
    """Show one example: the conversation, the target, and what was rejected."""
    from shammah.journal import Journal

    with Journal(config.load().home) as journal:
        kept = _find(journal, id)
        example = kept.example
        when = times.to_second(example.created)
        parts = [f"{example.id}  {when}  weight {example.weight:g}, {example.source}, {kept.state}"]
        parts += quarantine.provenance(journal, kept)
        parts += [f"[{message.role}] {message.content}" for message in example.prompt]
        parts += [f"[target] {_target(kept)}"]
        parts += [f"[rejected] {message.content}" for message in example.rejected or ()]
        write(harmless("\n\n".join(parts)))


@app.command()
def edit(id: Id, answer: Answer = None, weight: Weight = None) -> None:
    """Change an example's target or weight; without an option, the target opens in $EDITOR."""
    from shammah.journal import Journal

    with Journal(config.load().home) as journal:
        kept = _find(journal, id)
        if kept.state == "dropped":
            raise UsageError(f"{kept.example.id} is dropped", hint="Rate its answer again with `shammah feedback`.")
        if weight is not None and not math.isfinite(weight):
            raise UsageError("the weight is no number", hint=f"It takes a number up to {HEAVIEST:g}.")
        before = "".join(message.content for message in kept.example.completion)
        target = edited(before) if answer is None and weight is None else _given(answer, before)
        heavy = kept.example.weight if weight is None else weight
        if target.strip() == before.strip():
            is_done = weight is None or journal.examples.weigh(kept.example.id, weight)
        else:
            is_done = journal.examples.edit(kept.example.id, _checked(target, kept), heavy)
        if not is_done:
            raise UsageError(f"{kept.example.id} was replaced meanwhile", hint="See `shammah examples list`.")
        say(f"{kept.example.id} has weight {heavy:g}{'' if target.strip() else ', and no target yet'}.")


def _checked(target: str, kept: "KeptExample") -> str:
    """A new target, redacted; the rejected answer is none."""
    from shammah.privacy import Redactor, says_the_same

    redactor = Redactor()
    redactor.redact_all(kept.example.prompt)
    target = redactor.redact(target.strip())
    if not target:
        raise UsageError("an example without a target teaches nothing", hint="Give one with --answer TEXT, or drop it.")
    if any(says_the_same(target, message.content) for message in kept.example.rejected or ()):
        raise UsageError("this target is the answer that was rejected", hint="Give another with --answer TEXT.")
    return target


@app.command()
def drop(id: Id) -> None:
    """Take an example out; it is not learnt any more."""
    from shammah.journal import Journal

    with Journal(config.load().home) as journal:
        kept = _find(journal, id)
        if not journal.examples.drop(kept.example.id):
            raise UsageError(f"{kept.example.id} was replaced meanwhile", hint="See `shammah examples list`.")
        say(f"{kept.example.id} is dropped.")


def _find(journal: "Journal", id: str) -> "KeptExample":
    kept = journal.examples.find(clean(id))
    if kept is None:
        raise UsageError(f"no one example has the id {id!r}", hint="See `shammah examples list`.")
    return kept


def _given(answer: str | None, before: str) -> str:
    if answer is None:
        return before
    return read_stdin() if answer == "-" else clean(answer)


def _state(kept: "KeptExample", learnt: Collection[str]) -> str:
    return "unused" if kept.state == "live" and kept.example.id not in learnt else kept.state


def _two_lines(kept: "KeptExample", state: str) -> str:
    example = kept.example
    head = f"{example.id}  {example.weight:>4g}x  {example.source:<7}  {state:<7}  "
    return f"{head}{shorten(example.prompt[-1].content, len(head))}\n    {shorten(_target(kept), 4)}"


def _target(kept: "KeptExample") -> str:
    return "".join(message.content for message in kept.example.completion) or "(no target yet)"
