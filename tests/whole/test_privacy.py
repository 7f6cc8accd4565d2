"""Secrets and what never leaves, as users meet them: commands against a server that speaks the wire format."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer
from tests.whole.command import Home
from tests.whole.test_forwarding import bodies, home_with

SECRET = "ghp_" + "a1B2c3" * 6
QUIET = {"SHAMMAH_WORKER_ENABLED": "false"}


@pytest.fixture
def server() -> Iterator[AnthropicServer]:
    with AnthropicServer(answer_with=lambda body: Answer("keep <SECRET_1> safe")) as running:
        yield running


def files_with(home: Home, secret: str) -> list[Path]:
    return [file for file in home.path.rglob("*") if file.is_file() and secret.encode() in file.read_bytes()]


def test_a_secret_is_counted_and_shown_as_a_placeholder_wherever_it_is_read_again(
    server: AnthropicServer, tmp_path: Path
) -> None:
    home = home_with(server, tmp_path, **QUIET)
    asked = home.run("ask", f"is {SECRET} still valid")
    assert asked.stdout == f"keep {SECRET} safe\n"
    assert "1 secret stayed on this machine." in asked.stderr
    went_on = home.run("ask", "-c", "why")
    assert went_on.stdout == "keep <SECRET_1> safe\n", "the mapping was of one question, and is gone"
    assert SECRET not in str(bodies(server))
    assert "is <SECRET_1> still valid" in str(bodies(server)[1]["messages"])
    listed = home.run("log").stdout
    assert "is <SECRET_1> still valid" in listed
    assert SECRET not in listed
    assert files_with(home, SECRET) == []


def test_corrections_and_examples_hold_no_secret(server: AnthropicServer, tmp_path: Path) -> None:
    home = home_with(server, tmp_path, **QUIET)
    home.run("ask", "which token do I use")
    given = home.run("feedback", "critical", f"the token is {SECRET}", "--answer", f"use {SECRET}")
    assert given.returncode == 0, given.stderr
    with home.journal() as journal:
        (example,) = journal.examples.live()
    assert example.completion[0].content == "use <SECRET_1>"
    edited = home.run("examples", "edit", example.id, "--answer", f"take {SECRET} instead")
    assert edited.returncode == 0, edited.stderr
    shown = home.run("examples", "show", example.id).stdout
    assert "take <SECRET_1> instead" in shown
    assert files_with(home, SECRET) == []


def test_a_conversation_that_never_leaves_cannot_be_forced_out_later(server: AnthropicServer, tmp_path: Path) -> None:
    home = home_with(server, tmp_path, SHAMMAH_PRIVACY_NEVER_FORWARD="acme", **QUIET)
    first = home.ask("how do I list the files of password=Acme2024!x")
    assert (first["route"], first["reason"]) == ("local", "private")
    second = home.run("ask", "-c", "and hidden ones")
    assert "stays on this machine: `privacy.never_forward`" in second.stderr
    forced = home.run("ask", "-c", "--teacher", "and hidden ones")
    assert forced.returncode == 2
    assert "privacy.never_forward" in forced.stderr
    assert bodies(server) == []
    home.run("ask", "--teacher", "another talk")
    assert len(bodies(server)) == 1


def test_the_worst_case_is_told_before_the_call_where_it_is_asked_for(tmp_path: Path) -> None:
    with AnthropicServer([Answer("git reset --soft HEAD~1")]) as server:
        home = home_with(server, tmp_path, **QUIET)
        lines = home.run("ask", "--why", "undo my last commit").stderr.splitlines()
    cost = next(line for line in lines if line.startswith("cost: at most $"))
    assert "left today: $1.0000 of $1, this month: $20.0000 of $20" in cost
    assert lines.index(cost) < next(place for place, line in enumerate(lines) if line.startswith("route: teacher"))
