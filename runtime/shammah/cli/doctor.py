"""`shammah doctor`: what is wrong, and the command that mends it."""

import os
import shutil
import sys
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from shammah.cli.screen import draw, harmless, json_line, write

if TYPE_CHECKING:
    from shammah.doctor import Finding

_COLORS = {"ok": "\x1b[32m", "note": "\x1b[33m", "broken": "\x1b[31m"}
_PLAIN = "\x1b[39m"
STATE_COLUMNS, NAME_COLUMNS, LEAST_COLUMNS = 8, 11, 40

AsJson = Annotated[bool, typer.Option("--json", help="One JSON array.")]


def doctor(as_json: AsJson = False) -> None:
    """Look at machine, settings, disk, database, model, key and extras; say what mends each fault. No network.

    Ends with 1 where something is broken; what is a note works without.
    """
    from shammah.doctor import examine

    found = []
    columns, is_colored = shutil.get_terminal_size((80, 24)).columns, _is_colored()
    for finding in examine():
        found.append(finding)
        if not as_json:
            draw(in_words(finding, max(LEAST_COLUMNS, columns), is_colored))
    if as_json:
        write(json_line([asdict(finding) for finding in found]))
    if any(finding.state == "broken" for finding in found):
        raise typer.Exit(1)


def in_words(finding: "Finding", columns: int, is_colored: bool) -> str:
    """A finding as lines of so many columns; its command stands alone, in one piece, to be copied."""
    head = f"{finding.state:<{STATE_COLUMNS}}{finding.name:<{NAME_COLUMNS}}"
    indent = " " * (STATE_COLUMNS + NAME_COLUMNS)
    lines = textwrap.wrap(head + harmless(finding.what), columns - 1, subsequent_indent=indent, break_on_hyphens=False)
    if is_colored:
        lines[0] = _COLORS[finding.state] + lines[0][:STATE_COLUMNS] + _PLAIN + lines[0][STATE_COLUMNS:]
    return "\n".join([*lines, *([f"{' ' * STATE_COLUMNS}$ {harmless(finding.command)}"] if finding.command else [])])


def _is_colored() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
