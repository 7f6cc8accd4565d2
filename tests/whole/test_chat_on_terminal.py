"""`shammah chat` on a real terminal."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer, Stall
from tests.fake_trainer import FakeTrainer
from tests.whole.command import Home
from tests.whole.corrected import faked
from tests.whole.test_terminal import trust_router_not_validator

KEY = {"ANTHROPIC_API_KEY": "sk-ant-" + "test" * 6, "SHAMMAH_WORKER_ENABLED": "false"}
PATIENCE_SECONDS = 120.0

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is the terminal here")


@dataclass(frozen=True)
class Tmux:
    """A real terminal of so many columns, with a conversation on it."""

    socket: str

    def run(self, *arguments: str) -> str:
        done = subprocess.run(["tmux", "-S", self.socket, *arguments], capture_output=True, text=True, check=True)
        return done.stdout

    def send(self, text: str) -> None:
        self.run("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        self.run("send-keys", *keys)

    def say(self, text: str) -> None:
        self.send(text)
        self.press("Enter")

    def screen(self, *options: str) -> str:
        return self.run("capture-pane", "-p", *options)

    def wait(self, is_there: Callable[[str], bool]) -> str:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_there(screen := self.screen()):
            assert time.monotonic() < deadline, screen
            time.sleep(0.05)
        return screen

    def see(self, words: str) -> str:
        return self.wait(lambda screen: words in screen)


Open = Callable[..., Tmux]


@pytest.fixture
def on_terminal(tmp_path: Path) -> Iterator[Open]:
    opened: list[Tmux] = []

    def start(home: Home, *arguments: str, columns: int = 80, **variables: str) -> Tmux:
        tmux = Tmux(str(tmp_path / f"tmux-{len(opened)}"))
        named = [f"{name}={value}" for name, value in (home.environment() | variables).items()]
        command = ["env", "-i", *named, "TERM=screen-256color", sys.executable, "-m", "shammah", "chat", *arguments]
        script = tmp_path / f"start-{len(opened)}"
        script.write_text("exec " + " ".join(map(quoted, command)) + "\n")
        tmux.run("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", "30", f"sh {script}; sleep 60")
        opened.append(tmux)
        return tmux

    yield start
    for tmux in opened:
        tmux.run("kill-server")


def quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def test_the_status_stands_below_the_prompt_and_a_talk_goes_on(tmp_path: Path, on_terminal: Open) -> None:
    home = Home(tmp_path / "home", {"SHAMMAH_WORKER_ENABLED": "false"})
    tmux = on_terminal(home, columns=60)
    tmux.see("no adapter")
    tmux.say("how do i undo the last commit but keep the changes")
    assert "\nRemoves" in tmux.see("git reset --soft HEAD~1"), "a line of the answer is a line of the screen"
    tmux.see("local (no key)")
    tmux.say("/good")
    tmux.see("1 wait")
    tmux.send("/crit")
    tmux.press("Tab")
    tmux.press("C-u")
    tmux.press("Up", "Up")
    tmux.see("> how do i undo")
    tmux.press("C-c")
    tmux.see("Ctrl-D or /quit")
    tmux.send("two lines\\")
    tmux.press("Enter")
    tmux.say("of one message")
    tmux.wait(lambda _: asked(home) == 2)
    with home.journal() as journal:
        assert journal.recent(1)[0].text == "two lines\nof one message"
    tmux.wait(lambda screen: screen.count("local (no key)") == 1)
    tmux.press("C-d")
    tmux.wait(lambda screen: "local (no key)" not in screen)
    assert all(len(line) <= 60 for line in tmux.screen().splitlines())
    assert oct((home.path / "history.jsonl").stat().st_mode & 0o777) == oct(0o600)


def asked(home: Home) -> int:
    with home.journal() as journal:
        return sum(journal.shown(question) is not None for question in journal.recent(9))


def test_a_rejected_draft_is_replaced_before_ones_eyes(tmp_path: Path, on_terminal: Open) -> None:
    with AnthropicServer([Answer("the **answer** of claude")]) as server:
        variables = KEY | {"ANTHROPIC_BASE_URL": server.url, "SHAMMAH_QUALITY_MAX_BAD_RATE": "off"}
        home = Home(tmp_path / "home", variables)
        trust_router_not_validator(home)
        tmux = on_terminal(home)
        tmux.see("no adapter")
        tmux.say("list files")
        screen = tmux.see("the answer of claude")
        assert "does not vouch" in screen
        with home.journal() as journal:
            rejected = next(a for a in journal.answers(journal.recent(1)[0]) if a.side == "local")
        assert rejected.text.split("\n")[0] not in screen.replace("> list files", "")
        tmux.see("Claude (rejected draft)")


def test_ctrl_c_stops_an_answer_keeps_it_and_the_talk_goes_on(tmp_path: Path, on_terminal: Open) -> None:
    with AnthropicServer([Stall("the first half"), Answer("and the second")]) as server:
        home = Home(tmp_path / "home", KEY | {"ANTHROPIC_BASE_URL": server.url})
        tmux = on_terminal(home)
        tmux.see("no adapter")
        tmux.say("tell me")
        tmux.see("the first half")
        tmux.press("C-c")
        assert "the first half" in tmux.see("what is shown is kept")
        tmux.say("go on")
        tmux.see("and the second")
        sent = [message["content"] for message in server.requests[-1].body["messages"]]
    assert sent == ["tell me", "the first half", "go on"]


def test_a_training_shows_while_one_types_and_its_adapter_answers_next(tmp_path: Path, on_terminal: Open) -> None:
    home = faked(tmp_path / "home", FakeTrainer(steps=30, pause=0.1))
    tmux = on_terminal(home, columns=60)
    tmux.see("1 wait")
    tmux.say("/train")
    tmux.see("runs in the background")
    tmux.see("training 1: epoch 1, step ")
    tmux.say("how do i list files")
    tmux.see("corrections-v1 answers from now on")
    tmux.say("how do i copy a folder")
    tmux.wait(lambda _: asked(home) == 3)
    with home.journal() as journal:
        answers = [journal.shown(question) for question in journal.recent(2)]
    assert [answer.adapters for answer in answers if answer] == [(("corrections-v1", 1.0),), ()]
    tmux.see("· corrections-v1 ·")
    tmux.say("/adapters rollback")
    tmux.see("the bare model, no adapter")
    tmux.see("· no adapter ·")


def test_the_edited_answer_becomes_the_target(tmp_path: Path, on_terminal: Open) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/HEAD~1/HEAD~2/' \"$1\"\n")
    editor.chmod(0o755)
    home = Home(tmp_path / "home", {"SHAMMAH_WORKER_ENABLED": "false"})
    tmux = on_terminal(home, EDITOR=str(editor), NO_COLOR="1")
    tmux.see("no adapter")
    tmux.say("how do i undo the last commit but keep the changes")
    tmux.see("local (no key)")
    tmux.say("/answer medium")
    tmux.see("medium (weight 3)")
    tmux.say("/answer good")
    tmux.see("good (weight 1)")
    tmux.press("C-d")
    with home.journal() as journal:
        (example,) = journal.examples.live()
    assert example.completion[0].content.startswith("git reset --soft HEAD~2\n")
    assert not re.search(r"\x1b\[([34][0-8]|9\d|10\d)m", tmux.screen("-e")), "NO_COLOR"


def test_a_model_cannot_steer_the_terminal(tmp_path: Path, on_terminal: Open) -> None:
    evil = "before\x1b]0;owned\x07\x1b[2J\x1b[31m after <b> and __init__"
    with AnthropicServer([Answer(evil)]) as server:
        tmux = on_terminal(Home(tmp_path / "home", KEY | {"ANTHROPIC_BASE_URL": server.url}))
        tmux.see("no adapter")
        tmux.say("say it")
        screen = tmux.see("after <b> and __init__")
    assert "> say it" in screen, "nothing was cleared"
    assert "owned" not in tmux.run("display-message", "-p", "#{pane_title}")
