"""A line opens the commands that it needs, and no others."""

import subprocess
import sys
from collections.abc import Sequence

import pytest
from typer.main import get_command

from shammah.cli.commands import COMPLETING, NAMES, app_of, wanted


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


def test_another_commands_file_stays_closed() -> None:
    code = "import sys; from shammah.cli import commands; commands.app_of(['chat'])\n"
    code += "print(sorted(name for name in commands.NAMES if f'shammah.cli.{name}' in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "['chat']"
