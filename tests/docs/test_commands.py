"""Every command that the pages tell people to type is typed: it parses, and it does what it says."""

import re
import shlex
import time
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from shammah import locks
from shammah.cli.commands import app_of
from tests.docs.pages import PAGES, ROOT, Command, commands, spans
from tests.docs.prepared import PULLED, House
from tests.docs.reference import paths

COMMANDS = commands()
OURS = [command for command in COMMANDS if command.is_ours]

CURL = next(command.text for command in COMMANDS if command.text.startswith("curl -s "))

ELSEWHERE = {
    "python3 -m venv .venv": ".ci/run runs it, in a fresh clone",
    "pip install -c constraints.txt .[train]": ".ci/run runs it",
    "pip install .": ".ci/run runs it",
    "pip install -c constraints.txt -e .[train,dev]": ".ci/run runs it",
    "python -m pytest": ".ci/run runs it; this is it",
    "pip install --force-reinstall --no-cache-dir --no-deps llama-cpp-python": "compiles llama.cpp for minutes",
    "accelerate launch --multi_gpu --num_machines 2 --num_processes 2 --machine_rank 1 --main_process_ip HOST"
    " --main_process_port 29500 -m shammah_trainer JOB": "the second of two machines",
    "pip install shammah[mcp]": "from an index",
    "claude mcp add shammah -- shammah mcp": "Claude Code's; tests/whole/test_mcp.py runs what it starts",
    CURL: "tests/whole/test_api_schema.py runs it",
    "ssh -N -L 11436:127.0.0.1:11435 workstation &": "another machine",
    'curl -H "Authorization: Bearer $(cat ~/.shammah/serve-token)" http://127.0.0.1:11435/stats': "another of its kind",
    'export "ANTHROPIC_API_KEY=$(ssh workstation cat .shammah/serve-token)"': "another machine's token",
}
"""What is no command of ours, and where else it is seen to work, or why nowhere."""

TEACHES, SERVES = "tests/whole/test_teach.py runs it", "tests/whole/test_serve_process.py runs it"

PARSED = {
    "shammah examples purge --source mcp": TEACHES,
    "shammah mcp": "tests/whole/test_mcp.py runs it",
    "shammah serve": SERVES,
    "shammah serve --detach": SERVES,
    "shammah serve status": SERVES,
    "shammah serve stop": SERVES,
    "shammah teach": TEACHES,
    'shammah teach "our make targets" --budget 0.20': TEACHES,
    'shammah teach "our make targets" --rounds 5 --budget 0.20 --accept': TEACHES,
    'shammah train --launch "accelerate launch --multi_gpu --num_processes 2"': "tests/whole/test_launch.py runs it",
    'shammah train --launch "accelerate launch --use_fsdp --num_processes 2"': "tests/trainer/test_spread.py runs it",
    'shammah train --launch "accelerate launch --multi_gpu --num_machines 2 --num_processes 2 --machine_rank 0'
    ' --main_process_ip HOST --main_process_port 29500"': "it waits for the second machine",
}
"""Commands of ours that are not run here, and why: their flags are read alone."""

MORE = {
    "shammah --install-completion": ("bash",),  # nobody's shell is looked for
    "shammah log erase ID": ("--yes",),  # nobody is there to be asked
    "shammah models pull": (PULLED,),  # how large the machine is that this runs on says which else
}
"""What is typed behind a command here."""

TYPED = {"shammah chat": "list hidden files\n"}
"""What is typed into a command here."""

# Placeholders of the prose, where a command is not run.
STAND_INS = {"ID": "1", "NUMBER": "3", "RATING": "good", "AMOUNT": "3GB"}


def test_what_is_not_run_is_named_with_a_reason_and_nothing_else_is() -> None:
    assert {command.text for command in COMMANDS if not command.is_ours} == set(ELSEWHERE)
    assert set(PARSED) | set(MORE) | set(TYPED) <= {command.text for command in OURS}, "a stale entry"


def test_every_command_is_shown_in_some_page() -> None:
    typed = {command.words[1 : 1 + length] for command in OURS for length in (1, 2)}
    assert {path for path in paths() if path} <= typed, "docs/guide.md is the place"


def parsed(words: tuple[str, ...]) -> None:
    """Read a command's flags as it would, without doing anything."""
    command: Any = get_command(app_of())
    context: Any = None
    rest = [STAND_INS.get(word, word) for word in words]
    while True:
        context = command.make_context(rest[0] if context else "shammah", rest[1:] if context else rest, context)
        inner = getattr(command, "commands", {})
        rest = [*context._protected_args, *context.args]
        if not rest:
            return
        assert rest[0] in inner, f"no such command {rest[0]!r}"
        command = inner[rest[0]]


@pytest.mark.parametrize("text", PARSED)
def test_a_command_that_is_not_run_parses(text: str) -> None:
    (command,) = (command for command in OURS if command.text == text)
    parsed(command.words[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_command_within_the_prose_parses(page: Path) -> None:
    for span in spans(page):
        if span.startswith("shammah ") and "->" not in span:
            words = tuple(shlex.split(re.sub(r"\s*\[[^\]]*\]", "", span)))[1:]
            if words not in paths():  # the name of a command, of which nothing is asked
                parsed(words)


@pytest.mark.parametrize("command", [c for c in OURS if c.text not in PARSED], ids=lambda command: command.text)
def test_a_documented_command_does_what_it_says(
    command: Command, prepared: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared.restore()
    monkeypatch.chdir(prepared.folder)
    stdin = (prepared.folder / command.source).read_text() if command.source else TYPED.get(command.text)
    words = [*prepared.filled(command.words[1:]), *MORE.get(command.text, ())]
    done = prepared.home.run(*words, stdin=stdin)
    if "--background" in words:
        settle(prepared)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stdout or done.stderr
    if command.output:
        assert done.stdout == command.output


def settle(prepared: House, seconds: float = 60) -> None:
    """Stop the background, and wait until nobody works in the home."""
    prepared.home.run("train", "--cancel")
    deadline = time.monotonic() + seconds
    while locks.is_held(prepared.home.path / locks.WORKER):
        assert time.monotonic() < deadline, (prepared.home.path / "worker.log").read_text()
        time.sleep(0.05)
