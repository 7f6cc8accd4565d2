"""`shammah chat` through a pipe: each line is a message or a command, and stdout holds the answers."""

import io
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from shammah import bases, config, locks, schedule
from shammah.adapters import hash_of
from shammah.records.adapters import Adapter
from shammah.records.bases import Base
from shammah.repl.comparison import compare
from shammah.repl.desk import Desk
from shammah.repl.loading import Loading
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer
from tests.tiny import write_tiny
from tests.whole.command import Home
from tests.whole.test_adapters import fill

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
    assert "the teacher has no key here" in out
    assert "Quality of local answers" in out
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


def test_a_blind_comparison_is_picked_from_then_revealed_and_learnt(tmp_path: Path) -> None:
    with AnthropicServer([Answer("claude says soft")]) as server:
        home = Home(tmp_path, KEY | {"ANTHROPIC_BASE_URL": server.url})
        out, _ = chat(home, "/compare how do i undo the last commit but keep the changes", "2", "/quit")
    before, first, second, after = re.split(r"--- [12] ---\n|(?=1 was )", out)
    assert before == ""
    names = {"claude says soft\n": "Claude"}
    ones, twos = (names.get(text, "the local model") for text in (first, second))
    assert {ones, twos} == {"Claude", "the local model"}
    wins = {name: int(name == twos) for name in (ones, twos)}
    assert after == (
        f"1 was {ones}, 2 was {twos}.\n"
        f"So far: Claude {wins['Claude']}, the local model {wins['the local model']}, as good 0.\n"
    )
    with home.journal() as journal:
        (example,) = journal.examples.live()
    assert example.completion[0].content == second.strip()
    assert [message.content for message in example.rejected or ()] == [first.strip()]


def test_adapters_are_compared_and_what_is_active_answers_again(tmp_path: Path) -> None:
    home = fill(Home(tmp_path / "home", {"SHAMMAH_WORKER_ENABLED": "false"}), tmp_path, hash_of(bases.SEEDLING))
    question = "how do i undo the last commit but keep the changes"
    home = replace(home, variables=home.variables | {"SHAMMAH_ANSWER_MAX_TOKENS": "60"})
    out, err = chat(home, f"/compare none none {question}", f"/compare none mine:1e-3 {question}", question, code=1)
    assert "one and the same" in err
    assert "Both say the same." in err, "at this scale the adapter says nothing"
    assert "So far: mine:0.001 0, none 0, as good 1." in out
    _, err = chat(home, f"/compare mine mine:1.0 {question}", code=1)
    assert "one and the same" in err, "in two spellings"
    with home.journal() as journal:
        newest = journal.shown(journal.recent(1)[0])
        compared = journal.answers(journal.recent(2)[1])
    assert newest is not None
    assert newest.adapters == ()
    assert sorted(answer.adapters for answer in compared) == [(), (("mine", 0.001),)]


QUESTION = "how do i undo the last commit but keep the changes"


@pytest.mark.parametrize(
    ("variables", "command", "words"),
    [
        ({"ANTHROPIC_API_KEY": ""}, f"/compare {QUESTION}", "Claude has no key here"),
        ({"SHAMMAH_OFFLINE": "1"}, f"/compare {QUESTION}", "nothing leaves this machine"),
        ({"SHAMMAH_TEACHER_MAX_USD_PER_DAY": "0"}, f"/compare {QUESTION}", "budget for Claude"),
        ({"SHAMMAH_ANSWER_MAX_TOKENS": "1"}, f"/compare {QUESTION}", "the local model gave no whole answer"),
        ({}, f"/compare none foreign {QUESTION}", "foreign was made for another model"),
    ],
)
def test_a_comparison_that_cannot_be_made_leaves_no_question_and_costs_nothing(
    variables: dict[str, str], command: str, words: str, tmp_path: Path
) -> None:
    with AnthropicServer([Answer("claude says soft")]) as server:
        home = Home(tmp_path, KEY | {"ANTHROPIC_BASE_URL": server.url} | variables)
        with home.journal() as journal:
            journal.bases.record(Base("ab" * 32, "/models/qwen.gguf", 1, 1, 1, "qwen", "qwen2"))
            file = write_tiny(tmp_path / "foreign.gguf")
            journal.adapters.add(Adapter("foreign", "ab" * 32, str(file), hash_of(file), None, {}, "foreign", None))
        _, err = chat(home, command, code=1)
        assert server.requests == []
    assert words in err
    with home.journal() as journal:
        assert journal.recent(9) == []


def test_a_pick_counts_towards_the_next_training(tmp_path: Path) -> None:
    trainer = {"SHAMMAH_TRAINER_PYTHON": str(tmp_path / "nowhere"), "SHAMMAH_TRAINER_AFTER_FEEDBACK": "1"}
    with AnthropicServer([Answer("claude says soft")]) as server:
        variables = KEY | trainer | {"ANTHROPIC_BASE_URL": server.url, "SHAMMAH_WORKER_ENABLED": "true"}
        home = Home(tmp_path / "home", variables)
        _, err = chat(home, f"/compare {QUESTION}", "1")
    assert schedule.MISSING in err


class Screen(io.StringIO):
    """A stderr that people look at."""

    def isatty(self) -> bool:
        return True


def test_a_comparison_announces_the_first_forward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with AnthropicServer([Answer("claude says soft")]) as server:
        home = Home(tmp_path, KEY | {"ANTHROPIC_BASE_URL": server.url})
        for name, value in home.environment().items():
            monkeypatch.setenv(name, value)
        screen = Screen()
        monkeypatch.setattr(sys, "stderr", screen)
        settings = config.load()
        desk = Desk(settings, "here", Loading(settings), Loading, lambda *_: "")
        compare(desk, QUESTION)
        desk.loading.end()
        desk.close()
    assert "This question goes to" in " ".join(screen.getvalue().split())


def test_a_line_that_is_no_pick_skips_and_is_the_next_message(tmp_path: Path) -> None:
    both = [Answer("claude says soft"), Answer("claude says soft")]
    with AnthropicServer(both) as server:
        home = Home(tmp_path, KEY | {"ANTHROPIC_BASE_URL": server.url})
        lines = (f"/compare {QUESTION}", "/local", f"/compare {QUESTION}", "", "/quit", "never asked")
        _, err = chat(home, *lines, code=1)
    assert err.count("Skipped") == 2, "by another line, and by a blank one"
    assert "nothing was asked yet" in err or "there is no question" in err, "/local was read as a command"
    with home.journal() as journal:
        assert "never asked" not in [question.text for question in journal.recent(9)]


def test_a_skipped_comparison_teaches_nothing(tmp_path: Path) -> None:
    with AnthropicServer([Answer("claude says soft")]) as server:
        home = Home(tmp_path, KEY | {"ANTHROPIC_BASE_URL": server.url})
        _, err = chat(home, "/compare how do i list hidden files")
    assert "Skipped" in err
    with home.journal() as journal:
        assert journal.examples.all() == []


def test_a_training_stands_still_for_an_answer(home: Home) -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    process, states = psutil.Process(sleeper.pid), set[str]()
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.002):
            states.add(process.status())

    watcher = threading.Thread(target=watch)
    try:
        with locks.only_one(home.path / locks.TRAINING) as lock:
            assert lock is not None
            lock.name(sleeper.pid)
            watcher.start()
            chat(home, "how do i list hidden files", "and their sizes")
            is_over.set()
            watcher.join()
        assert psutil.STATUS_STOPPED in states
        assert process.status() != psutil.STATUS_STOPPED
    finally:
        sleeper.kill()
        sleeper.wait()
