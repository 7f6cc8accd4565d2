"""Tab completes commands, settings, and the names of what a home has; the shell is set up by one command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shammah.cli import commands
from shammah.journal import Journal
from shammah.records.adapters import Adapter
from shammah.records.bases import Base
from shammah_convert.chat import Message
from tests.whole.command import Home

HEAVY = {"numpy", "torch", "anthropic", "llama_cpp", "gguf", "psutil", "huggingface_hub", "detect_secrets"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with a model, two adapters and a question."""
    home = Home(tmp_path_factory.mktemp("home"))
    with Journal(home.path) as journal:
        journal.bases.record(Base("ab" * 32, "/models/qwen.gguf", 1, 1, 1, "qwen", "qwen2"))
        for name in ("corrections-v1", "corrections-v2", "corrections-\\$(touch gone)", "corrections-`x`"):
            journal.adapters.add(Adapter(name, "ab" * 32, "/x", "cd" * 32, None, {}, name, None))
        journal.begin(
            "here", "base", [Message("user", "list\x1b[2J all \\$(touch gone) files; `x` 'y' \"z\"")], 0, True
        )
    return home


def completed(home: Home, *words: str) -> list[str]:
    """What bash offers for the last word."""
    line = {"COMP_WORDS": " ".join(("shammah", *words)), "COMP_CWORD": str(len(words))}
    environment = home.environment() | line | {"_SHAMMAH_COMPLETE": "complete_bash"}
    return CliRunner().invoke(commands.app_of(), env=environment, prog_name="shammah").stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("doc",), ["doctor"]),
        (("adapters", "show", "corr"), ["corrections-v1", "corrections-v2"]),
        (("adapters", "use", "corrections-v1", "corrections-v2"), ["corrections-v2"]),
        (("ask", "--model", "/m"), ["/models/qwen.gguf"]),
        (("chat", "--model", "/m"), ["/models/qwen.gguf"]),
        (("models", "use", "qwen2.5-1"), ["qwen2.5-1.5b", "qwen2.5-14b"]),
        (("models", "show", "seed"), ["seedling"]),
        (("models", "remove", "qwen2.5-1.5"), ["qwen2.5-1.5b"]),
        (("models", "pull", "qwen2.5-1.5"), ["qwen2.5-1.5b"]),
        (("adapters", "domain", "corrections-v1"), ["corrections-v1"]),
        (("adapters", "domains", "--model", "/m"), ["/models/qwen.gguf"]),
        (("log", "--adapter", "corrections-v1"), ["corrections-v1"]),
        (("log", "--side", "l"), ["local"]),
        (("config", "set", "teacher.max_usd"), ["teacher.max_usd_per_day", "teacher.max_usd_per_month"]),
        (("config", "set", "heads.learner", "b"), ["bayes"]),
    ],
)
def test_tab_offers_what_there_is(words: tuple[str, ...], offered: list[str], home: Home) -> None:
    assert completed(home, *words) == offered


def test_no_stored_text_means_anything_to_a_shell(home: Home) -> None:
    """Zsh evaluates what it is offered, and typer escapes no backslash."""
    line = {"_TYPER_COMPLETE_ARGS": "shammah log show "}
    environment = home.environment() | line | {"_SHAMMAH_COMPLETE": "complete_zsh"}
    offered = CliRunner().invoke(commands.app_of(), env=environment, prog_name="shammah").stdout
    assert "list 2J all touch gone files x y z" in offered
    assert not set(offered) & set("\\$`;&|<>\x1b")


def test_without_a_home_tab_offers_nothing_and_makes_none(tmp_path: Path) -> None:
    home = Home(tmp_path / "none")
    assert completed(home, "adapters", "show", "") == []
    assert not home.path.exists()


def test_tab_opens_no_room_that_takes_time(home: Home) -> None:
    code = "import sys; from shammah.cli import commands, complete; commands.app_of()\n"
    code += "complete.adapters(''); complete.models(''); complete.questions('')\n"
    code += "print(sorted(set(sys.argv[1:]) & set(sys.modules)))"
    command = [sys.executable, "-c", code, *HEAVY]
    done = subprocess.run(command, env=home.environment(), capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_one_command_sets_the_shell_up(tmp_path: Path) -> None:
    home = Home(tmp_path, {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"})
    done = home.run("--install-completion", "bash")
    assert done.returncode == 0, done.stderr
    script = tmp_path / ".bash_completions" / "shammah.sh"
    assert "_SHAMMAH_COMPLETE=complete_bash" in script.read_text()
    assert os.fspath(script) in (tmp_path / ".bashrc").read_text()
