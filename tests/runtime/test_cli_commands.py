"""A line opens the commands that it needs, and no others."""

import os
import pty
import runpy
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.main import get_command

from shammah.cli.commands import COMPLETING, NAMES, app_of, in_full, wanted

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


@pytest.mark.parametrize(
    ("arguments", "environ", "meant"),
    [
        ([], {}, ["--help"]),
        (["adapters"], {}, ["adapters", "--help"]),
        (["log"], {}, ["log"]),
        (["serve"], {}, ["serve"]),
        (["chat"], {}, ["chat"]),
        (["adapters", "list"], {}, ["adapters", "list"]),
        (["adapters"], {COMPLETING: "complete_bash"}, ["adapters"]),
    ],
)
def test_a_line_that_names_nothing_to_do_asks_for_help(
    arguments: Sequence[str], environ: dict[str, str], meant: Sequence[str]
) -> None:
    assert list(in_full(arguments, environ)) == meant


class Impatient:
    """Somebody who presses Ctrl-C while the command line is imported."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name == "shammah.cli":
            raise KeyboardInterrupt


def test_ctrl_c_while_it_starts_ends_it_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "shammah.cli")
    monkeypatch.setattr(sys, "meta_path", [Impatient(), *sys.meta_path])
    with pytest.raises(SystemExit) as left:
        runpy.run_module("shammah", run_name="not_main")
    assert left.value.code == 130


def test_a_closed_stream_is_one_to_nowhere() -> None:
    code = "import sys; from shammah.cli import streams; streams.open_closed(); print('x', flush=True)\n"
    code += "print('y', file=sys.stderr, flush=True); sys.exit(7 if sys.stdin.read() == '' else 1)"
    line = ["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, code]
    assert subprocess.run(line, timeout=60, check=False).returncode == 7


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
