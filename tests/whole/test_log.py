"""`shammah log` as its users type it: find, export, erase."""

import json
import sys
from pathlib import Path

import pexpect
import pytest

from shammah.feedback import Feedback, rate
from shammah.policy import Reason, Side
from shammah.records.examples import Rating
from shammah.records.questions import NewAnswer
from shammah_convert.chat import Message
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Status
from tests.whole.command import Home

SECRET = "the heron nests by the old mill"
ANSWER = NewAnswer(Side.LOCAL, True, "ls\x1b[2J -A", Reason.OFFLINE, "stop", "small", (), False, 1, 1, {})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with two answers, one of them corrected."""
    home = Home(tmp_path / "home")
    with home.journal() as journal:
        for text in ("list files", SECRET):
            question = journal.begin("here", "base", [Message("user", text)], 0, True)
            journal.save(question, [ANSWER])
        rate(journal, question, Feedback(Rating.CRITICAL, target="ls -la"), has_teacher=False)
    return home


def ids(home: Home) -> dict[str, str]:
    with home.journal() as journal:
        return {question.text: question.id for question in journal.log.find()}


def test_why_the_teacher_failed_is_in_the_log(tmp_path: Path) -> None:
    with AnthropicServer([Status(400, "invalid_request_error", "it is too odd")] * 2) as server:
        key = {"ANTHROPIC_API_KEY": "sk-ant-key", "ANTHROPIC_BASE_URL": server.url}
        home = Home.used(tmp_path / "home", key | {"SHAMMAH_WORKER_ENABLED": "false"})
        assert home.run("ask", "list files").returncode == 0
        assert home.run("ask", "--teacher", "list all").returncode == 1
    for id in ids(home).values():
        shown = home.run("log", "show", id).stdout
        assert "[the teacher failed: Claude answered with status 400: it is too odd]" in shown


def test_the_log_is_filtered_and_a_wrong_time_is_refused(home: Home) -> None:
    found = home.run("log", "--since", "1h", "--side", "local", "--rating", "critical")
    assert (found.returncode, found.stdout.count("heron"), found.stdout.count("list files")) == (0, 1, 0)
    assert "\x1b" not in found.stdout
    assert "Nothing found." in home.run("log", "--until", "yesterday").stderr
    wrong = home.run("log", "--since", "soon")
    assert wrong.returncode == 2
    assert '"yesterday"' in wrong.stderr
    misplaced = home.run("log", "--since", "1h", "export", "--sft")
    assert misplaced.returncode == 2
    assert "shammah log export" in misplaced.stderr


def test_examples_are_exported_to_a_pipe_and_to_a_private_file(home: Home) -> None:
    piped = home.run("log", "export", "--sft")
    (row,) = map(json.loads, piped.stdout.splitlines())
    assert (row["prompt"][0]["content"], row["completion"][0]["content"]) == (SECRET, "ls -la")
    file = home.path / "pairs.jsonl"
    assert home.run("log", "export", "--dpo", "--out", str(file)).returncode == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["rejected"][0]["content"] == ANSWER.text
    again = home.run("log", "export", "--dpo", "--out", str(file))
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    assert home.run("log", "export").returncode == 2


def test_without_a_terminal_nothing_is_erased_unasked(home: Home) -> None:
    asked = home.run("log", "erase", ids(home)[SECRET])
    assert asked.returncode == 2
    assert "--yes" in asked.stderr
    assert len(ids(home)) == 2
    unsaid = home.run("log", "erase", "--yes")
    assert (unsaid.returncode, "what is to be erased?" in unsaid.stderr) == (2, True)


@pytest.mark.parametrize("option", ["--search", "--since", "--until", "--adapter"])
def test_an_empty_option_means_nothing_instead_of_everything(home: Home, option: str) -> None:
    done = home.run("log", "erase", option, " ", "--yes")
    assert (done.returncode, f"{option} is empty" in done.stderr, len(ids(home))) == (2, True, 2)


def test_lists_are_also_objects_with_the_stamps_as_they_are_kept(home: Home) -> None:
    rows = json.loads(home.run("log", "--json").stdout)
    assert [row["question"] for row in rows] == ["list files", SECRET]
    assert {"answer": ANSWER.text, "side": "local"}.items() <= rows[0].items()
    assert rows[0]["created"].endswith("Z")
    (row,) = json.loads(home.run("examples", "list", "--json").stdout)
    assert (row["question"], row["target"], row["state"]) == (SECRET, "ls -la", "live")


@pytest.mark.parametrize(
    "arguments", [("log", "-n", "9" * 23), ("checkpoint", "show", "9" * 23), ("ask", "x", "--seed", "9" * 23)]
)
def test_a_number_too_large_for_anything_is_a_matter_of_usage(home: Home, arguments: tuple[str, ...]) -> None:
    done = home.run(*arguments)
    assert (done.returncode, "2147483647" in done.stderr) == (2, True)


def test_in_a_loop_stdin_is_left_to_the_loop(home: Home) -> None:
    done = home.run("ask", "--no-stdin", stdin="the next question")
    assert (done.returncode, "there is no question" in done.stderr) == (2, True)


def test_an_empty_word_finds_nothing(home: Home) -> None:
    done = home.run("log", "search", "")
    assert (done.returncode, done.stdout, "a word is empty" in done.stderr) == (2, "", True)
    both = home.run("log", "erase", "--all", "--since", "1h", "--yes")
    assert (both.returncode, len(ids(home))) == (2, 2)


def test_one_answer_is_erased_and_then_everything(home: Home) -> None:
    one = home.run("log", "erase", ids(home)[SECRET], "--yes")
    assert one.returncode == 0, one.stderr
    assert "To be erased: 1 question, 1 answer, 1 example, 1 rating, 2 lessons." in one.stderr
    assert list(ids(home)) == ["list files"]
    every = home.run("log", "erase", "--all", "--yes")
    assert every.returncode == 0, every.stderr
    assert ids(home) == {}
    left = [file.name for file in home.path.rglob("*") if file.is_file() and b"list files" in file.read_bytes()]
    assert left == []


def test_on_a_terminal_it_is_asked_for(home: Home) -> None:
    command = ["-m", "shammah", "log", "erase", "--search", "heron"]
    for answer, left in (("n", 2), ("y", 1)):
        child = pexpect.spawn(sys.executable, command, env=home.environment(), encoding="utf-8", timeout=120)
        child.expect("This cannot be undone")
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        assert (child.exitstatus, len(ids(home))) == (int(answer == "n"), left)
