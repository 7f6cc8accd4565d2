"""A line opens the commands that it needs, and no others."""

import os
import pty
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.main import get_command

from shammah.cli.commands import COMPLETING, NAMES, app_of, wanted

# What an answer needs, and a prompt does without: half a second in all.
LATER = {"shammah.policy", "shammah.journal", "shammah.local", "sqlite3", "numpy", "rich.console", "llama_cpp"}


@pytest.mark.parametrize(
    ("arguments", "environ", "names"),
    [
        (["chat"], {}, ["chat"]),
        (["adapters", "list"], {}, ["adapters"]),
        (["ask", "chat", "--help"], {}, ["ask"]),
        ([], {}, NAMES),
        (["--help"], {}, NAMES),
        (["--version", "ask"], {}, NAMES),
        (["chatt"], {}, NAMES),  # the nearest names are told
        (["ask"], {COMPLETING: "complete_bash"}, NAMES),
    ],
)
def test_a_line_that_begins_with_a_command_wants_it_alone(
    arguments: Sequence[str], environ: dict[str, str], names: Sequence[str]
) -> None:
    assert wanted(arguments, environ) == names


def test_every_command_has_its_name() -> None:
    assert set(get_command(app_of()).commands) == set(NAMES)  # type: ignore[attr-defined]


def test_until_the_prompt_of_a_conversation_stands_little_is_opened(tmp_path: Path) -> None:
    code = "import sys; from shammah import config; from shammah.cli import commands; commands.app_of(['chat'])\n"
    code += "from shammah.repl.loop import Chat; Chat(config.load(), 'here'); print(*sys.modules, file=sys.stderr)"
    ours, its = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdin=its,
        stdout=its,
        stderr=subprocess.PIPE,
        env=os.environ | {"SHAMMAH_HOME": os.fspath(tmp_path)},
        text=True,
        timeout=60,
        check=True,
    )
    os.close(its)
    os.close(ours)
    opened = set(done.stderr.split())
    assert opened >= {"shammah.repl.prompt", "prompt_toolkit"}
    assert {name for name in NAMES if f"shammah.cli.{name}" in opened} == {"chat"}
    assert not opened & LATER
