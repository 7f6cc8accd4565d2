"""Corrections as a user makes them: the real command line, the real seedling, a real server for the teacher."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer
from tests.whole.command import Home

KEY = "sk-ant-" + "test" * 6


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.used(tmp_path)


def test_a_correction_is_acknowledged_in_one_line_and_kept(home: Home) -> None:
    id = home.ask("how do i list hidden files")["id"]
    done = home.run("feedback", "critical", "show details too", "--answer", "ls -la")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith("critical (weight 10) for “how do i list hidden files”")
    assert line.endswith("1 example, 10.0 weighted; training starts after 9 more.")
    with home.journal() as journal:
        (example,) = journal.examples.live()
        assert example.completion[0].content == "ls -la"
        assert example.rejected is not None
    home.ask("how do i copy a folder")
    assert home.run("feedback", "good").returncode == 0
    named = home.run("feedback", "MEDIUM", "--id", id[:6], "--answer", "-", stdin="ls -A\n")
    assert named.stdout.endswith("2 examples, 4.0 weighted; training starts after 8 more.\n")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("excellent",), 2, "'excellent' is no rating"),
        (("good",), 2, "no answer to rate"),
        (("good", "--id", "zz"), 2, "no one question has the id 'zz'"),
        (("critical", "--answer", "  "), 2, "is empty"),
        (("critical", "-", "--answer", "-"), 2, "stdin holds one text"),
        ((), 2, "Missing argument"),
    ],
)
def test_nonsense_is_answered_with_what_to_do(home: Home, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = home.run("feedback", *arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert done.stdout == ""


def test_the_background_asks_the_teacher_for_a_better_answer(tmp_path: Path) -> None:
    with AnthropicServer([Answer("git reset --hard"), Answer("git reset --soft HEAD~1")]) as server:
        variables = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": server.url}
        home = Home.used(tmp_path, variables)
        home.ask("--teacher", "undo my last commit")
        done = home.run("feedback", "critical", "keep my work")
        assert "looked for in the background" in done.stdout
        home.wait_for_worker()
        with home.journal() as journal:
            (example,) = journal.examples.live()
        assert example.completion[0].content == "git reset --soft HEAD~1"
        assert (example.weight, example.source) == (10.0, "teacher")
        roles = [message["role"] for message in server.requests[-1].body["messages"]]
        assert roles == ["user", "assistant", "user"]


def test_offline_the_local_model_tries_with_the_note_and_nobody_else_is_asked(tmp_path: Path) -> None:
    with AnthropicServer([Answer("never asked for")]) as server:
        variables = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": server.url, "SHAMMAH_OFFLINE": "1"}
        home = Home.used(tmp_path, variables)
        home.ask("how do i list hidden files")
        assert "in the background" in home.run("feedback", "critical", "tell me how to delete a folder").stdout
        home.wait_for_worker()
        assert server.requests == []
    with home.journal() as journal:
        (kept,) = journal.examples.all()
        notices = journal.notices.take()
    assert (kept.state == "live" and kept.example.source == "self") or (kept.state == "pending" and len(notices) == 1)


def test_examples_are_listed_shown_edited_and_dropped(home: Home) -> None:
    assert "no examples yet" in home.run("examples", "list").stderr
    home.ask("how do i list hidden files")
    home.run("feedback", "critical")
    with home.journal() as journal:
        id = journal.examples.all()[0].example.id
    assert "(no target yet)" in home.run("examples", "list").stdout
    assert home.run("examples", "edit", id, "--answer", "ls -la").returncode == 0
    assert home.run("examples", "edit", id, "--weight", "4").returncode == 0
    listed = home.run("examples", "list").stdout
    assert id in listed
    assert "ls -la" in listed
    assert "4x" in listed
    shown = home.run("examples", "show", id[:5]).stdout
    assert "[user] how do i list hidden files" in shown
    assert "[target] ls -la" in shown
    assert "[rejected] " in shown
    assert home.run("examples", "drop", id).returncode == 0
    assert "dropped" in home.run("examples", "list").stdout
    with home.journal() as journal:
        assert journal.examples.live() == []


def test_an_example_opens_in_the_editor(home: Home) -> None:
    home.ask("how do i list hidden files")
    home.run("feedback", "good")
    with home.journal() as journal:
        id = journal.examples.all()[0].example.id
    editor = Home(home.path, {"EDITOR": "sh -c 'echo edited > \"$1\"' --"})
    assert editor.run("examples", "edit", id).returncode == 0
    assert "edited" in home.run("examples", "show", id).stdout
    broken = Home(home.path, {"EDITOR": "false"}).run("examples", "edit", id)
    assert broken.returncode == 2
    assert "--answer" in broken.stderr


@pytest.mark.parametrize("command", [("show", "zz"), ("edit", "zz"), ("drop", "zz")])
def test_an_unknown_example_is_named(home: Home, command: tuple[str, ...]) -> None:
    done = home.run("examples", *command)
    assert done.returncode == 2
    assert "no one example has the id 'zz'" in done.stderr


def test_the_rejected_answer_cannot_be_edited_in(home: Home) -> None:
    answer = home.ask("how do i list hidden files")["answer"]
    home.run("feedback", "critical")
    with home.journal() as journal:
        id = journal.examples.all()[0].example.id
    done = home.run("examples", "edit", id, "--answer", answer)
    assert done.returncode == 2
    assert "rejected" in done.stderr


def test_a_correction_that_was_acknowledged_survives_kill_9(home: Home) -> None:
    home.ask("how do i list hidden files")
    code = (
        "import os, signal, sys\n"
        "from shammah.cli import screen\n"
        "def write(text):\n"
        "    sys.stdout.write(text); sys.stdout.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
        "screen.write = write\n"
        "sys.argv = ['shammah', 'feedback', 'critical', '--answer', 'ls -la']\n"
        "from shammah.cli import main; main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=home.environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -9
    assert b"critical" in done.stdout
    with home.journal() as journal:
        assert [example.completion[0].content for example in journal.examples.live()] == ["ls -la"]
