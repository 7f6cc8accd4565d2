"""`shammah log export`: what there is to learn, for other trainers."""

from pathlib import Path
from typing import Annotated

import typer

from shammah import config
from shammah.cli import filters
from shammah.cli.screen import say, write
from shammah.errors import ShammahError, UsageError

Sft = Annotated[bool, typer.Option("--sft", help="Conversations and completions, as TRL's SFTTrainer reads them.")]
Dpo = Annotated[bool, typer.Option("--dpo", help="Wanted and rejected answers, as TRL's DPOTrainer reads them.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to; else to stdout.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]


def export(
    sft: Sft = False,
    dpo: Dpo = False,
    out: Out = None,
    force: Force = False,
    since: filters.Since = None,
    until: filters.Until = None,
    side: filters.Answered = None,
    reason: filters.Why = None,
    rating: filters.Rated = None,
    adapter: filters.Applied = None,
    search: filters.Words = None,
) -> None:
    """Write the examples as JSON lines; a rejected answer is one that you, or a judge, found worse."""
    from shammah import exporting
    from shammah.journal import Journal

    if sft is dpo:
        raise UsageError("which form is wanted?", hint="Give --sft or --dpo.")
    wanted = filters.read(since, until, side, reason, rating, adapter, search)
    with Journal(config.load().home) as journal:
        rows = list(exporting.rows(journal, "sft" if sft else "dpo", wanted))
    if out is None:
        if rows:
            write(exporting.write(rows).rstrip("\n"))
    else:
        _save(out.expanduser(), exporting.write(rows), force)
    kind = "example" if sft else "pair"
    say(f"{len(rows)} {kind}{'s' * (len(rows) != 1)}{f' in {out}' if out else ''}.")


def _save(out: Path, text: str, is_forced: bool) -> None:
    """Write a file for its owner's eyes alone."""
    from shammah_convert.files import in_words, write_private

    if out.is_dir():
        raise UsageError(f"{out} is a folder", hint="Give the name of a file in it.")
    if out.exists() and not is_forced:
        raise UsageError(f"{out} is there already", hint="Give another name, or --force.")
    try:
        write_private(out, text)
    except OSError as error:
        raise ShammahError(
            f"{out} cannot be written: {in_words(error)}", hint="Check the rights and the free space."
        ) from error
