"""`shammah stats`: what became of the questions, how well it went, and what it cost."""

import json
import os
import shutil
import sys
import textwrap
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shammah import config, times
from shammah.cli import files
from shammah.cli.screen import draw, say, write
from shammah.errors import UsageError

if TYPE_CHECKING:
    from shammah.journal import Journal
    from shammah.stats.figures import Figures

COLUMNS_IN_A_PIPE, LEAST_COLUMNS, MOST_COLUMNS = 80, 50, 100
_BOLD, _PLAIN = "\x1b[1m", "\x1b[22m"

Since = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help=f"Only questions from then on: {times.EXAMPLES}.")
]
By = Annotated[Literal["day", "week"] | None, typer.Option("--by", help="How the time is cut; else what fits.")]
Base = Annotated[
    str | None, typer.Option("--base", metavar="NAME", help="Only one local model: its name, path or hash.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object: docs/stats.schema.json.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write one page; - writes it to stdout.")]


def stats(
    since: Since = None,
    by: By = None,
    base: Base = None,
    as_json: AsJson = False,
    html: Html = None,
    force: files.Force = False,
) -> None:
    """Show who answered and why, how good local answers are, and what was spent and saved, over time."""
    from shammah.journal import Journal
    from shammah.journal.counted import Scope
    from shammah.stats import figures, period

    if as_json and html is not None:
        raise UsageError("--json and --html exclude each other", hint="Leave out one of the two.")
    settings, now = config.load(), datetime.now().astimezone()
    with Journal(settings.home) as journal:
        first = None if since is None else period.read_since(since, now)
        scope = Scope(first, None if base is None else _base(journal, base))
        found = figures.gather(journal, settings, scope, by, now.date())
    if as_json:
        write(json.dumps(figures.as_object(found)))
    elif html is not None:
        from shammah.stats.page import page

        files.save_page(page(found), html, force, "page")
    elif not found.over_time:
        say(_nothing(found))
    else:
        draw(shown(found))


def _base(journal: "Journal", wanted: str) -> str:
    """The hash of the model that is meant.

    Raises:
        UsageError: There is none, or more than one.
    """
    from shammah.journal.counted import Scope
    from shammah.stats.text import plain

    at_path = journal.bases.at(Path(wanted).expanduser().absolute())
    if at_path is not None:
        return at_path.sha256
    known = [base for base in journal.figures.bases(Scope()) if base.sha256]
    meant = [base for base in known if base.name.casefold() == wanted.casefold()]
    meant = meant or [base for base in known if wanted and base.sha256.startswith(wanted.lower())]
    if len(meant) == 1:
        return meant[0].sha256
    names = ", ".join(f"{plain(base.name)} ({base.sha256[:12]})" for base in meant or known) or "none yet"
    raise UsageError(f"no one model is meant by {wanted!r}", hint=f"Questions were asked of: {names}.")


def _nothing(found: "Figures") -> str:
    if found.since is None and found.base is None:
        return 'Nothing was asked yet, so there is nothing to count. Begin with: shammah ask "list hidden files"'
    return "Nothing was asked in that time of that model. Leave out --since and --base to count all questions."


def shown(found: "Figures") -> str:
    """Everything as text, as wide as the terminal."""
    from shammah.stats import text, words
    from shammah.stats.blocks import FINE, PLAIN

    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else COLUMNS_IN_A_PIPE
    columns = max(LEAST_COLUMNS, min(columns, MOST_COLUMNS))
    blocks = FINE if _can_write(FINE.across + FINE.up + FINE.cut) else PLAIN
    parts = [textwrap.fill(text.plain(words.heading(found)), columns, break_on_hyphens=False)]
    for section in words.sections(found):
        parts.append("\n".join([_bold(section.title), *text.lines(section, columns, blocks)]))
    return "\n\n".join(parts)


def _bold(title: str) -> str:
    is_plain = not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return title if is_plain else f"{_BOLD}{title}{_PLAIN}"


def _can_write(letters: str) -> bool:
    try:
        letters.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
