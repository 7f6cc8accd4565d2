"""`shammah chat` through a pipe: each line is a message or a command, and stdout holds the answers."""

from pathlib import Path

import pytest

from tests.anthropic_server import Answer, AnthropicServer
from tests.whole.command import Home

KEY = {"ANTHROPIC_API_KEY": "sk-ant-" + "test" * 6, "SHAMMAH_WORKER_ENABLED": "false"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, {"SHAMMAH_WORKER_ENABLED": "false"})


def chat(home: Home, *lines: str, code: int = 0) -> tuple[str, str]:
    """What a conversation writes to stdout and stderr."""
    done = home.run("chat", stdin="\n".join(lines) + "\n")
    assert done.returncode == code, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def test_each_line_is_a_message_of_one_conversation(home: Home) -> None:
    out, err = chat(home, "how do i undo the last commit but keep the changes", "", "and list hidden files")
    assert out.startswith("git reset --soft HEAD~1\n")
    assert err.count("small built-in model") == 1
    with home.journal() as journal:
        last = journal.recent(1)[0]
    assert [message.role for message in last.context] == ["user", "assistant", "user"]
    assert last.context[1].content.startswith("git reset --soft HEAD~1")


def test_commands_work_on_the_last_answer(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "talk.md"
    lines = ("how do i list hidden files", "/feedback high show sizes", "/good", "/why", "/stats", f"/save {file}")
    out, _ = chat(home, *lines, "/new", "a new one", "/quit", "never asked")
    assert "critical (weight 10) for “how do i list hidden files”" in out
    assert "good (weight 1) for “how do i list hidden files”: kept to learn" in out
    assert "route: local (no_key), unverified" in out
    assert "Claude has no key here" in out
    assert "1, 1 wait for a training" in out
    assert file.read_text().startswith("## You\n\nhow do i list hidden files\n\n## Shammah\n\n")
    with home.journal() as journal:
        assert [question.text for question in journal.recent(9)] == ["a new one", "how do i list hidden files"]
        assert len(journal.recent(1)[0].context) == 1


NONSENSE = {
    "/critcal": "there is no /critcal\n  Did you mean /critical?",
    "/good": "nothing was asked yet\n  Type a question.",
    "/feedback": "there is no rating\n  It is one of",
    "/feedback splendid": "'splendid' is no rating",
    "/teacher": "nothing was asked yet",
    "/model /nowhere.gguf": "no model at /nowhere.gguf",
    "/adapters use nobody": "there is no adapter 'nobody'",
    "/adapters list 'x": "Close the quotation mark",
    "/adapters dance": "No such command 'dance'",
    "/train": "there is nothing to learn yet",
    "word " * 3000: "longer than the local model's context",
}


def test_what_cannot_be_done_is_said_with_the_next_step_and_the_talk_goes_on(home: Home) -> None:
    out, err = chat(home, *NONSENSE, "/model", code=1)
    for words in NONSENSE.values():
        assert words in err
    assert out.startswith("Shammah seedling")


def test_the_other_side_answers_the_same(tmp_path: Path) -> None:
    with AnthropicServer([Answer("claude says ls"), Answer("claude says ls -a")]) as server:
        home = Home(tmp_path, KEY | {"ANTHROPIC_BASE_URL": server.url})
        out, _ = chat(home, "how do i undo the last commit but keep the changes", "/local", "/teacher", "go on")
        sent = [message["content"] for message in server.requests[-1].body["messages"]]
    assert out.splitlines()[0] == "claude says ls"
    assert "git reset --soft HEAD~1" in out
    assert len(server.requests) == 3, "the follow-up is free to go to either side again"
    assert sent[0] == "how do i undo the last commit but keep the changes"
    assert sent[-1] == "go on"
    assert len(sent) == 3, "the answer that was asked for again is not in the conversation twice"


def test_offline_nothing_leaves_the_machine(tmp_path: Path) -> None:
    with AnthropicServer([Answer("never")]) as server:
        home = Home(tmp_path, KEY | {"ANTHROPIC_BASE_URL": server.url})
        done = home.run("chat", "--offline", stdin="list files\n/teacher\n/critical no\n")
        assert server.requests == []
    assert "nothing leaves this machine" in done.stderr
    assert done.returncode == 1


def test_secrets_stay_out_of_what_is_kept(tmp_path: Path) -> None:
    secret = "sk-ant-api03-" + "a1B2" * 20
    home = Home(tmp_path, {"SHAMMAH_WORKER_ENABLED": "false"})
    chat(home, f"my key is {secret}", f"/save {tmp_path / 'talk.md'}")
    kept = [file for file in tmp_path.rglob("*") if file.is_file() and secret.encode() in file.read_bytes()]
    assert kept == []
