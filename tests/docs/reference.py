"""The reference: each command's `--help`, as a terminal of 80 columns without styles shows it."""

from collections.abc import Iterator
from typing import Any

from typer.main import get_command
from typer.testing import CliRunner, Result

from shammah.cli import commands
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "reference.md"
PLAIN = {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb", "TERMINAL_WIDTH": None}
HEAD = """\
# Reference

`--help` of every command, as a terminal of 80 columns shows it. `python -m tests.docs --write` writes this page, and a
test compares each block with the real one. What the commands are for is told in the [guide](guide.md).

Exit codes are the same everywhere: 0 done, 1 failed, 2 usage, 3 model, key, configuration or extra missing or wrong,
4 no verified answer, 5 no budget, 130 interrupted.
"""


def paths(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and group, as its words behind `shammah`, in the order of their help."""
    command = command or get_command(commands.app_of())
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from paths(inner, (*path, name))


def invoked(*words: str) -> Result:
    """What a line says and ends with, read by the commands that it needs."""
    app = commands.app_of(commands.wanted(words, {}))
    return CliRunner().invoke(app, words, env=PLAIN, prog_name="shammah")


def help_of(path: tuple[str, ...]) -> str:
    """What a command says of itself."""
    done = invoked(*path, "--help")
    assert done.exit_code == 0, done.output
    return "\n".join(line.rstrip() for line in done.output.strip().splitlines())


def page() -> str:
    """The whole page."""
    parts = (f"\n## {' '.join(('shammah', *path))}\n\n```text\n{help_of(path)}\n```\n" for path in paths())
    return HEAD + "".join(parts)
