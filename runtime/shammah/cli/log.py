"""`shammah log`: what was asked and answered."""

import shutil
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from shammah import config, times
from shammah.cli import complete, filters
from shammah.cli import erase as erase_command
from shammah.cli import export as export_command
from shammah.cli import mend as mend_command
from shammah.cli.screen import harmless, json_line, say, width, write
from shammah.cli.typed import MOST, clean
from shammah.errors import UsageError

if TYPE_CHECKING:
    from shammah.journal.log import Filter
    from shammah.records.questions import Answer, Judgement, Question

app = typer.Typer(help="Show, find, export and erase questions and their answers.", no_args_is_help=False)
app.command("export")(export_command.export)
app.command("erase")(erase_command.erase)
app.command("restore")(mend_command.restore)
app.command("repair")(mend_command.repair)

Count = Annotated[int, typer.Option("-n", "--number", min=1, max=MOST, help="How many to show.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="The id, or its beginning.", autocompletion=complete.questions)]


@app.callback(invoke_without_command=True)
def last(
    context: typer.Context,
    number: Count = 10,
    since: filters.Since = None,
    until: filters.Until = None,
    side: filters.Answered = None,
    reason: filters.Why = None,
    rating: filters.Rated = None,
    adapter: filters.Applied = None,
    search: filters.Words = None,
    as_json: AsJson = False,
) -> None:
    """Show the last questions and their answers, or the last of those that the options mean."""
    from shammah.journal.log import EVERYTHING

    wanted = filters.read(since, until, side, reason, rating, adapter, search)
    if context.invoked_subcommand is None:
        _list(wanted, number, as_json)
    elif wanted != EVERYTHING or as_json:
        raise UsageError(
            "options before a command of the log mean nothing",
            hint=f"Put them behind it: shammah log {context.invoked_subcommand} ...",
        )


@app.command()
def show(id: Id) -> None:
    """Show one question with every answer that it got."""
    from shammah.journal import Journal

    with Journal(config.load().home) as journal:
        question = journal.question(clean(id))
        if question is None:
            raise UsageError(f"no one question has the id {id!r}", hint="See `shammah log`.")
        parts = [f"{question.id}  {times.to_second(question.created)}"]
        parts += [f"[{message.role}] {message.content}" for message in question.context]
        parts += [f"[the teacher failed: {question.failure}]"] if question.failure else []
        for answer in journal.answers(question):
            judgement = journal.judgements.of(answer)
            parts.append("\n".join([_heading(answer), *([_verdict(judgement)] if judgement else []), answer.text]))
        write(harmless("\n\n".join(parts)))


def _heading(answer: "Answer") -> str:
    marks = ["shown" if answer.is_shown else "not shown", "verified" if answer.is_verified else "unverified"]
    if answer.divergence is not None:
        marks.append(f"divergence {answer.divergence:.2f} ({answer.method})")
    return f"[{answer.side}: {answer.model}, {answer.reason}, {answer.finish}, {', '.join(marks)}]"


def _verdict(judgement: "Judgement") -> str:
    """What the judge said, and what that cost."""
    cost = "cost unknown" if judgement.cost_usd is None else f"${judgement.cost_usd:.6f}"
    order = "first" if judgement.local_is_first else "second"
    return (
        f"[judge: {judgement.model}, local {judgement.local_grade}, teacher {judgement.teacher_grade} of 5,"
        f" {cost}, shown {order} (seed {judgement.seed}): {judgement.reason}]"
    )


@app.command()
def search(
    words: Annotated[
        list[str], typer.Argument(metavar="WORD...", help="All of them must occur in the question or the answer.")
    ],
    number: Count = 20,
    as_json: AsJson = False,
) -> None:
    """Find questions by words in them or in their answers."""
    from shammah.journal.log import Filter

    _list(Filter(words=filters.words_of("a word", words)), number, as_json)


def _list(wanted: "Filter", number: int, as_json: bool) -> None:
    from shammah.journal import Journal
    from shammah.journal.log import EVERYTHING

    with Journal(config.load().home) as journal:
        for notice in journal.notices.take():
            say(notice)
        found = [(question, journal.shown(question)) for question in reversed(journal.log.find(number, wanted))]
        if as_json:
            write(json_line([_as_object(*pair) for pair in found]))
        elif not found:
            say("Nothing asked yet." if wanted == EVERYTHING else "Nothing found.")
        else:
            write("\n".join(_two_lines(*pair) for pair in found))


def _as_object(question: "Question", answer: "Answer | None") -> dict[str, str | None]:
    return {
        "id": question.id,
        "created": question.created,
        "question": question.text,
        "side": answer.side if answer else None,
        "model": answer.model if answer else None,
        "reason": answer.reason if answer else None,
        "answer": answer.text if answer else None,
    }


def _two_lines(question: "Question", answer: "Answer | None") -> str:
    """When, by whom, what was asked; and below it the answer's first line."""
    head = f"{question.id}  {times.to_minute(question.created)}  {answer.side if answer else '-':<7}  "
    first_line = (answer.text if answer else "(no answer)").strip().partition("\n")[0]
    return f"{head}{shorten(question.text, len(head))}\n    {shorten(first_line, 4)}"


def shorten(text: str, indent: int) -> str:
    """One line that fits the terminal, or 120 columns elsewhere."""
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 120
    room = max(20, columns - indent)
    line = " ".join(harmless(text).split())[: 8 * room]  # signs that stand on others are many at most
    if width(line) <= room:
        return line
    while width(line) >= room:
        line = line[:-1]
    return line.rstrip() + "…"
