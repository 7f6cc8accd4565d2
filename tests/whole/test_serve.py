"""`shammah ask`, `chat` and `feedback` beside a running daemon: the same answers, from the model that is warm there."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema
import pytest

from shammah import config
from shammah.adapters import hash_of
from shammah.asked import Asked, Forced, Told
from shammah.bases import SEEDLING
from shammah.serve import client
from shammah.serve.call import Call
from shammah.serve.place import socket_of
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer, Stall
from tests.serving import Serving
from tests.whole.command import Home
from tests.whole.test_adapters import write
from tests.whole.test_ask import SCHEMA

KEY = "sk-ant-" + "test" * 6
QUESTION = "how do i undo the last commit but keep the changes"
QUIET = {"SHAMMAH_WORKER_ENABLED": "false"}
ALONE = {"SHAMMAH_SERVE_USE": "false"}


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(Home.used(tmp_path_factory.mktemp("home"), QUIET)) as running:
        yield running


def answered(serving: Serving) -> int:
    count = serving.status()["answers"]
    assert isinstance(count, int)
    return count


def test_the_daemon_answers_what_a_command_answers_by_itself(serving: Serving) -> None:
    before = answered(serving)
    warm = serving.home.run("ask", QUESTION)
    assert answered(serving) == before + 1
    alone = Home(serving.home.path, QUIET | ALONE).run("ask", QUESTION)
    assert answered(serving) == before + 1, "serve.use = false leaves it alone"
    assert (warm.returncode, warm.stdout, warm.stderr) == (alone.returncode, alone.stdout, alone.stderr)


def test_the_json_object_keeps_its_schema(serving: Serving) -> None:
    outcome = serving.home.ask("how do i find large files")
    jsonschema.validate(outcome, SCHEMA)
    alone = Home(serving.home.path, QUIET | ALONE).ask("how do i find large files")
    own = ("id", "seconds")
    assert {k: v for k, v in outcome.items() if k not in own} == {k: v for k, v in alone.items() if k not in own}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("x", "--teacher"), 3, "ANTHROPIC_API_KEY"),
        (("x", "--verified"), 4, "no verified answer"),
        (("word " * 3000,), 2, "longer than the local model's context"),
    ],
)
def test_what_cannot_be_answered_ends_as_it_does_without_a_daemon(
    serving: Serving, arguments: tuple[str, ...], code: int, words: str
) -> None:
    warm = serving.home.run("ask", *arguments)
    alone = Home(serving.home.path, QUIET | ALONE).run("ask", *arguments)
    assert (warm.returncode, warm.stdout, warm.stderr) == (alone.returncode, alone.stdout, alone.stderr)
    assert warm.returncode == code
    assert words in warm.stderr


def test_a_conversation_goes_on_from_the_last_answer_of_the_terminal(serving: Serving) -> None:
    first = serving.home.ask("how do i list all files")
    serving.home.ask("and the hidden ones", "-c")
    with serving.home.journal() as journal:
        context = journal.recent(1)[0].context
    assert [message.role for message in context] == ["user", "assistant", "user"]
    assert context[1].content == first["answer"]


def test_feedback_after_an_answer_of_the_daemon_is_about_that(serving: Serving) -> None:
    serving.home.ask("how do i show disk usage")
    rated = serving.home.run("feedback", "critical", "no", "--answer", "du -sh")
    assert rated.returncode == 0, rated.stderr
    assert "critical (weight 10) for “how do i show disk usage”" in rated.stdout


def test_why_tells_the_same_decision_and_another_model_is_answered_by_the_command(
    serving: Serving, tmp_path: Path
) -> None:
    assert "route: local (no_key), unverified" in serving.home.run("ask", QUESTION, "--why").stderr
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(SEEDLING.read_bytes())
    before = answered(serving)
    other = serving.home.run("ask", QUESTION, "--why", "--model", str(copy))
    assert other.stdout.startswith("git reset")
    assert "The daemon does not answer this: it has another model open" in other.stderr
    assert answered(serving) == before


def test_the_settings_of_a_question_are_the_commands(serving: Serving) -> None:
    assert serving.home.ask(QUESTION, "--max-tokens", "2")["finish_reason"] == "length"
    drawn = [serving.home.ask("list files", "--temperature", "2", "--seed", "7")["answer"] for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_a_conversation_is_answered_by_the_daemon(serving: Serving) -> None:
    before = answered(serving)
    done = serving.home.run("chat", stdin=f"{QUESTION}\nand list hidden files\n/why\n/good\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("git reset --soft HEAD~1\n")
    assert "route: local (no_key), unverified" in done.stdout
    assert "good (weight 1) for “and list hidden files”" in done.stdout
    assert done.stderr.count("small built-in model") == 1
    assert answered(serving) == before + 2
    with serving.home.journal() as journal:
        assert [message.role for message in journal.recent(1)[0].context] == ["user", "assistant", "user"]


def test_the_commands_key_is_used_for_its_answer_and_kept_nowhere(serving: Serving) -> None:
    with AnthropicServer([Answer("claude says so")]) as server:
        key = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": server.url}
        outcome = Home(serving.home.path, QUIET | key).ask("what is a tortoise")
    assert (outcome["answer"], outcome["route"]) == ("claude says so", "teacher")
    assert any(KEY in value for value in server.requests[0].headers.values())
    assert serving.home.ask("what is a tortoise")["reason"] == "no_key"
    assert not [file for file in serving.home.path.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]


def test_many_ask_at_once(serving: Serving) -> None:
    alone = serving.home.ask(QUESTION)["answer"]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: asked(serving, QUESTION).text, range(8)))
    assert answers == [alone] * 8


class Shown:
    """A screen that keeps what stands on it."""

    def __init__(self, hear: Callable[[], None] = lambda: None) -> None:
        self.text = ""
        self._hear = hear

    def draft(self, text: str) -> None:
        self.text += text
        self._hear()

    def final(self, text: str) -> None:
        self.text += text
        self._hear()

    def accept(self) -> None:
        """It stands already."""

    def discard(self, _: str) -> None:
        self.text = ""

    def forwarding(self, worst_usd: float) -> None:
        """Nobody reads it."""


def asked(
    serving: Serving,
    text: str,
    screen: Shown | None = None,
    stop: client.Stop = lambda: False,
    variables: Mapping[str, str] | None = None,
    forced: Forced = "",
) -> Told:
    """A question over the socket, from this process."""
    environ = serving.home.environment() | dict(variables or {})
    call = Call.here(Asked(text, "here", forced), config.load(environ), False, False, environ)
    ear = client.Ear(screen or Shown(), lambda _: None, lambda _: None, stop)
    return client.ask(socket_of(serving.home.path), call.as_row(), ear)


def wait_for(is_so: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_adapter_that_becomes_active_answers_the_next_question_while_a_stream_ends_on_the_old_one(
    serving: Serving, tmp_path: Path
) -> None:
    home = serving.home
    assert home.run("adapters", "load", str(write(tmp_path / "mine.gguf", hash_of(SEEDLING)))).returncode == 0
    used: list[int] = []

    def use() -> None:
        """Make it active as soon as the stream has begun."""
        if not used:
            used.append(home.run("adapters", "use", "mine").returncode)

    long = {"SHAMMAH_ANSWER_TEMPERATURE": "5", "SHAMMAH_ANSWER_MAX_TOKENS": "900"}
    old = asked(serving, "tell me a story", Shown(use), variables=long).outcome
    new = asked(serving, "list files").outcome
    home.run("adapters", "use", "none")
    assert used == [0]
    assert (old["adapters"], new["adapters"]) == ([], [{"name": "mine", "scale": 1.0}])
    assert asked(serving, "list files").outcome["adapters"] == []


def test_whoever_stops_an_answer_keeps_what_was_shown(serving: Serving) -> None:
    screen = Shown()
    with AnthropicServer([Stall("the first half")]) as server:
        key = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": server.url}
        told = asked(serving, "tell me", screen, lambda: bool(screen.text), key, forced="teacher")
    assert (told.is_interrupted, told.text) == (True, "the first half")
    with serving.home.journal() as journal:
        shown = journal.shown(journal.recent(1)[0])
    assert shown is not None
    assert (shown.text, shown.finish) == ("the first half", "interrupted")


def test_whoever_hangs_up_ends_the_answer(serving: Serving) -> None:
    with AnthropicServer([Stall("the first half")]) as server:
        key = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": server.url}
        screen = Shown()

        def leave() -> bool:
            if screen.text:
                raise KeyboardInterrupt
            return False

        with pytest.raises(KeyboardInterrupt):
            asked(serving, "tell me", screen, leave, key, forced="teacher")
        wait_for(lambda: serving.status()["in_flight"] == 0)
    with serving.home.journal() as journal:
        shown = journal.shown(journal.recent(1)[0])
    assert shown is not None
    assert shown.finish == "interrupted"


def test_an_engine_that_dies_costs_no_answer(serving: Serving) -> None:
    pid = serving.house.opened.engine.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    done = serving.home.run("ask", QUESTION)
    assert (done.returncode, done.stdout.partition(" ")[0]) == (0, "git")
    wait_for(lambda: serving.house.opened.engine.pid not in (None, pid))
    before = answered(serving)
    assert serving.home.run("ask", QUESTION).stdout == done.stdout
    assert answered(serving) == before + 1


def test_whoever_goes_offline_is_offline_at_once_whatever_becomes_of_the_model(tmp_path: Path) -> None:
    body = {"model": "shammah:teacher", "messages": [{"role": "user", "content": "hello"}]}
    with Serving(Home.used(tmp_path, QUIET)) as serving:
        assert serving.http("POST", "/v1/chat/completions", body)[0] == 403, "there is no key"
        (tmp_path / "config.toml").write_text('offline = true\n[model]\npath = "/nowhere.gguf"\n')
        status, said, _ = serving.http("POST", "/v1/chat/completions", body)
        assert (status, "offline" in said["error"]["message"]) == (400, True), said


def test_what_is_in_flight_is_finished_before_the_daemon_ends(tmp_path: Path) -> None:
    hold = threading.Event()
    with AnthropicServer([Answer("a whole answer", hold=hold)]) as server, ThreadPoolExecutor(1) as pool:
        key = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": server.url}
        with Serving(Home.used(tmp_path, QUIET)) as serving:
            asking = pool.submit(asked, serving, "tell me", variables=key, forced="teacher")
            wait_for(lambda: bool(server.requests))
            threading.Timer(0.5, hold.set).start()  # by then it has been told to end
        assert asking.result().text == "a whole answer"
