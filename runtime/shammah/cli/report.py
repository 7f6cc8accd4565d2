"""`shammah adapters report`: what a training measured, and why its adapter was taken or not."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shammah import config
from shammah.cli import complete, files
from shammah.cli.screen import json_line, table_columns, tell, write
from shammah.errors import UsageError

if TYPE_CHECKING:
    from shammah.journal import Journal
    from shammah.reports import Filed

Name = Annotated[
    str | None,
    typer.Argument(
        help="The adapter's name; else the last training's, also a refused one's.", autocompletion=complete.adapters
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON object.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write one page; - writes it to stdout.")]


def report(name: Name = None, as_json: AsJson = False, html: Html = None, force: files.Force = False) -> None:
    """Show the report of a training: before and after, with 95% intervals, and the reasons for and against."""
    from shammah.journal import Journal
    from shammah.reports.facts import as_object, table

    if as_json and html is not None:
        raise UsageError("--json and --html exclude each other", hint="Leave out one of the two.")
    settings = config.load()
    with Journal(settings.home) as journal:
        training = journal.trainings.at(_training(journal, name))
        filed = read(settings.home, training.number)
        if training.adapter:  # it may be called otherwise by now
            filed = replace(filed, job=replace(filed.job, name=training.adapter))
    if html is not None:
        from shammah.reports.page import page

        files.save_page(page(filed), html, force, "report")
    elif as_json:
        write(json_line(as_object(filed)))
    else:
        tell(table(filed, table_columns()))


def _training(journal: "Journal", name: str | None) -> int:
    """The number of the training whose report is wanted.

    Raises:
        UsageError: There is none.
    """
    if name is None:
        last = journal.trainings.last_decided()
        if last is None:
            raise UsageError("no training has ended with a report yet", hint="Train first: shammah train")
        return last.number
    adapter = journal.adapters.find(name)
    if adapter is None:
        raise UsageError(f"there is no adapter {name!r}", hint="See `shammah adapters list`.")
    if adapter.training is None:
        raise UsageError(
            f"{name} came from a file, and has no report", hint=f"See `shammah adapters show {name}` for its scores."
        )
    return adapter.training


def read(home: Path, training: int) -> "Filed":
    """The report of a training.

    Raises:
        UsageError: It is gone.
    """
    from shammah import reports
    from shammah_convert.job import BadJob

    try:
        return reports.read(home / "jobs" / str(training))
    except BadJob as error:
        raise UsageError(
            f"the report of training {training} cannot be read: {error}", hint="Train again with `shammah train`."
        ) from error
