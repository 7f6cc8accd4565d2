"""`shammah ask` on a real terminal: streaming, drafts that are replaced, Ctrl-C."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from shammah import features
from shammah.cli.screen import folded, width
from shammah.divergence import Divergence, Method
from shammah_convert.chat import Message
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer, Stall
from tests.many import ask_again
from tests.whole.command import Home

KEY = {"ANTHROPIC_API_KEY": "sk-ant-" + "test" * 6, "SHAMMAH_WORKER_ENABLED": "false"}


@pytest.fixture
def server() -> Iterator[AnthropicServer]:
    with AnthropicServer([Answer("the answer of claude")]) as running:
        yield running


def on_terminal(home: Home, *arguments: str, columns: int = 80, **variables: str) -> pexpect.spawn[str]:
    environment = home.environment() | {"TERM": "xterm"} | variables
    command = ["-m", "shammah", *arguments]
    return pexpect.spawn(
        sys.executable, command, env=environment, dimensions=(24, columns), encoding="utf-8", timeout=60
    )


def end(child: pexpect.spawn[str]) -> str:
    child.expect(pexpect.EOF)
    child.close()
    return str(child.before)


def test_an_answer_streams_and_the_first_forward_is_announced_once(server: AnthropicServer, tmp_path: Path) -> None:
    home = Home.used(tmp_path, KEY | {"ANTHROPIC_BASE_URL": server.url})
    first = end(on_terminal(home, "ask", "what is a tortoise"))
    assert "claude-sonnet-5-5 ($2 in, $10 out a million tokens; $1 a day at most" in " ".join(first.split())
    assert "the answer of claude" in first
    second = end(on_terminal(home, "ask", "what is a tortoise"))
    assert "a million tokens" not in second
    assert "the answer of claude" in second


def trust_router_not_validator(home: Home) -> None:
    """Let the router have learnt that local answers do, and the validator that they do not."""
    first = home.ask("list files", "--local")
    with home.journal() as journal:
        journal._db.execute("PRAGMA synchronous = OFF")  # hundreds of commits, none of which need survive
        question = journal.question(first["id"])
        assert question is not None
        other = journal.begin("other", question.lineage, [Message("user", "list files")], 0, True)
        counted = journal.note_route(other, features.of_question("list files"), None, 0.5)
        ask_again(journal, counted, 199)
        answer = journal.answers(question)[0]
        for _ in range(60):
            journal.lessons.teach(counted, answer, Divergence(0.0, Method.SEMANTIC), True)
        journal._db.execute("UPDATE lessons SET is_good = 0 WHERE head = 'validator'")


def test_a_draft_is_shown_dim_and_visibly_replaced(server: AnthropicServer, tmp_path: Path) -> None:
    # A contract would let nothing pass without evidence.
    home = Home.used(tmp_path, KEY | {"ANTHROPIC_BASE_URL": server.url, "SHAMMAH_QUALITY_MAX_BAD_RATE": "off"})
    trust_router_not_validator(home)
    screen = end(on_terminal(home, "ask", "list files"))
    assert "\x1b[2m" in screen
    before, erased, after = screen.partition("\x1b[J")
    assert erased
    assert "does not vouch" in after
    assert after.rstrip().endswith("the answer of claude")
    assert "the answer of claude" not in before


def test_without_styles_a_rejected_draft_is_never_shown(server: AnthropicServer, tmp_path: Path) -> None:
    home = Home.used(tmp_path, KEY | {"ANTHROPIC_BASE_URL": server.url})
    trust_router_not_validator(home)
    screen = end(on_terminal(home, "ask", "list files", NO_COLOR="1"))
    assert "\x1b" not in screen
    assert screen.rstrip().endswith("the answer of claude")


def test_ctrl_c_ends_a_stalled_teacher_at_once_and_keeps_the_part(tmp_path: Path) -> None:
    with AnthropicServer([Stall("the first half")]) as server:
        home = Home.used(tmp_path, KEY | {"ANTHROPIC_BASE_URL": server.url})
        child = on_terminal(home, "ask", "--teacher", "tell me")
        child.expect("the first half")
        started = time.monotonic()
        child.sendintr()
        end(child)
        assert time.monotonic() - started < 10
        assert child.exitstatus == 130
    with home.journal() as journal:
        answer = journal.shown(journal.recent(1)[0])
        assert answer is not None
        assert (answer.text, answer.finish) == ("the first half", "interrupted")
        assert journal.examples.live() == []


def test_ctrl_c_ends_a_long_local_answer_and_keeps_the_part(tmp_path: Path) -> None:
    home = Home.used(tmp_path, {"SHAMMAH_ANSWER_SYSTEM": ""})
    home.ask("list files")
    child = on_terminal(home, "ask", "--temperature", "5", "--max-tokens", "900", "tell me a long story")
    child.expect(r"\w")
    child.sendintr()
    end(child)
    assert child.exitstatus in (0, 130), "0 where the answer was faster than the signal"
    with home.journal() as journal:
        assert journal.shown(journal.recent(1)[0]) is not None


def test_last_means_the_last_of_this_terminal(tmp_path: Path) -> None:
    home = Home.used(tmp_path, {"NO_COLOR": "1"})
    here = pexpect.spawn(
        "/bin/sh",
        cwd=str(tmp_path),
        env=home.environment() | {"PS1": "$ ", "TERM": "dumb"},
        encoding="utf-8",
        timeout=60,
    )
    command = f"{sys.executable} -m shammah ask --json"
    here.sendline(f"{command} 'question of this terminal' > one; echo done-$?")
    here.expect("done-0")
    home.ask("question of another terminal")
    here.sendline(f"{command} -c 'and then' > two; echo done-$?")
    here.expect("done-0")
    here.close()
    with home.journal() as journal:
        assert journal.recent(1)[0].context[0].content == "question of this terminal"


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("\u4f60\u597d", 4), ("e\u0301", 1), ("a\tb", 9), ("", 0)])
def test_a_line_is_as_wide_as_the_terminal_draws_it(text: str, columns: int) -> None:
    assert width(text) == columns


def test_a_long_line_is_broken_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    text = "a line that is too long for it\n  and an indented one, too\n+ and one of a list of them\nshort\n" + "x" * 30
    assert folded(text).split("\n") == [
        "a line that is too",
        "long for it",
        "  and an indented",
        "  one, too",
        "+ and one of a list",
        "  of them",
        "short",
        "x" * 30,
    ]
