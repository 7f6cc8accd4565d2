"""The first question of a fresh machine: a model is offered once, on a terminal, and comes while one is answered."""

import io
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from shammah import catalog, config, fitting, pulling
from shammah.cli import bootstrap
from shammah.cli.model_list import machine
from shammah.cli.pull import asked
from shammah.repl.conversation import following
from shammah.repl.desk import Desk
from shammah.repl.loading import Loading
from shammah_convert.split import parts_of, stem_of
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer
from tests.hub_server import Hub
from tests.splits import split
from tests.tiny import write_tiny
from tests.whole.command import Home

QUESTION = "how do i list all files"
KEY = {"ANTHROPIC_API_KEY": "sk-ant-" + "test" * 6}


@pytest.fixture(scope="module")
def model() -> catalog.Model:
    """What is proposed here."""
    proposed = fitting.propose(catalog.models(), machine(), 8192).model
    if proposed is None:
        pytest.skip("this machine has no room for any model now")
    return proposed


@pytest.fixture
def hub(model: catalog.Model, tmp_path: Path) -> Iterator[Hub]:
    whole, names = write_tiny(tmp_path / "tiny.gguf"), parts_of(Path(model.file))
    parts = (whole,) if len(names) == 1 else split(whole, len(names), stem_of(Path(model.file)))
    with Hub(
        {(model.repository, name.name): part.read_bytes() for name, part in zip(names, parts, strict=True)}
    ) as hub:
        hub.cards = {model.repository: {"license": model.licence}}
        yield hub


@pytest.fixture
def home(tmp_path: Path, hub: Hub) -> Home:
    online = {"HF_HUB_OFFLINE": "", "HF_ENDPOINT": hub.address, "NO_PROXY": "127.0.0.1", "NO_COLOR": "1"}
    return Home(tmp_path / "home", online | {"SHAMMAH_WORKER_ENABLED": "false"})


def on_terminal(home: Home, answer: str | None, *arguments: str) -> str:
    """Ask on a terminal, and answer what is asked back; None where nothing is to be asked."""
    environment = home.environment() | {"TERM": "xterm"}
    command = ["-m", "shammah", "ask", *arguments, QUESTION]
    child = pexpect.spawn(sys.executable, command, env=environment, dimensions=(24, 60), encoding="utf-8", timeout=60)
    before = ""
    if answer is not None:
        child.expect("background")
        before = str(child.before)
        child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0, child.before
    return before + str(child.before)


def reason(home: Home) -> tuple[str, str]:
    """Where the last answer came from, and why."""
    with home.journal() as journal:
        shown = journal.shown(journal.recent(1)[0])
        assert shown is not None
        return shown.side, shown.reason


def until_here(home: Home) -> None:
    deadline = time.monotonic() + 60
    with home.journal() as journal:
        while journal.pulls.open_one() is not None:
            assert time.monotonic() < deadline, (home.path / "fetching.log").read_text()
            time.sleep(0.1)


def test_a_yes_is_answered_at_once_and_the_model_answers_once_it_is_here(
    home: Home, hub: Hub, model: catalog.Model
) -> None:
    hub.stall_after = 1000
    screen = on_terminal(home, "y")
    assert model.title in screen
    assert f"Answered by the small built-in model. {model.title} is on its way" in " ".join(screen.split())
    assert reason(home) == ("local", "model_not_ready")
    assert "is on its way" in home.run("ask", QUESTION).stderr
    hub.go_on.set()
    until_here(home)
    last = home.run("ask", "--json", "--max-tokens", "2", QUESTION)
    assert f"{model.title} is here: it answers from now on." in last.stderr
    assert '"model": "tiny"' in last.stdout
    assert reason(home) == ("local", "no_key")


def test_meanwhile_a_teacher_answers_where_there_is_a_key(home: Home, hub: Hub) -> None:
    with AnthropicServer([Answer("the answer of claude")]) as server:
        home.variables.update(KEY | {"ANTHROPIC_BASE_URL": server.url})
        hub.stall_after = 1000
        assert "the answer of claude" in on_terminal(home, "y")
    assert reason(home) == ("teacher", "model_not_ready")
    with home.journal() as journal:
        question = journal.recent(1)[0]
        assert not question.is_counted, "it says nothing about the model that is to come"
        assert not journal.jobs.waiting()
    hub.go_on.set()
    until_here(home)


def test_a_no_is_final_and_nothing_is_downloaded(home: Home, hub: Hub) -> None:
    assert "models pull" in on_terminal(home, "n")
    assert reason(home) == ("local", "no_key")
    on_terminal(home, None)
    assert hub.requests == []


def test_nothing_is_asked_where_there_is_nobody_or_no_need(home: Home, hub: Hub, tmp_path: Path) -> None:
    assert home.run("ask", QUESTION).returncode == 0, "in a pipe"
    on_terminal(home, None, "--offline")
    on_terminal(home, None, "--max-tokens", "2", "--model", str(write_tiny(tmp_path / "own.gguf")))
    home.variables["HF_HUB_OFFLINE"] = "1"
    on_terminal(home, None)
    assert hub.requests == []
    with home.journal() as journal:
        assert journal.pulls.open_one() is None
        assert not journal.notices.has_flag("model_offered"), "it is asked another time"


def test_who_talks_on_hears_that_the_model_has_come(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHAMMAH_HOME", str(home.path))
    settings = config.load()
    with home.journal() as journal:
        awaited = journal.pulls.want("qwen2.5-0.5b", "Qwen2.5 0.5B", 1)
    assert not bootstrap.has_come(settings, awaited)
    file = home.path / "somewhere.gguf"
    file.touch()
    pulling.use(home.path, file)
    assert bootstrap.has_come(settings, awaited)
    assert not bootstrap.has_come(settings, None)


def test_who_talks_on_is_told_how_far_it_is_and_no_longer_waits_for_what_failed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHAMMAH_HOME", str(home.path))
    monkeypatch.setenv("SHAMMAH_WORKER_ENABLED", "false")
    settings = config.load()
    desk = Desk(settings, "here", Loading(settings), Loading, lambda *_: "")
    pull = desk.journal.pulls.want("qwen2.5-0.5b", "Qwen2.5 0.5B", 1000)
    desk.journal.pulls.postpone(pull, "", 3000)
    desk.ask(following(QUESTION, None, settings, "here"))
    assert desk.parts.local().is_stand_in
    desk.journal.pulls.advance(pull, 900, 1000)
    assert desk.parts.awaited is not None
    assert desk.parts.awaited.percent == 90
    desk.journal.pulls.close(pull, "it was not fetched", "gone")
    desk.ask(following(QUESTION, desk.last, settings, "here"))
    assert not desk.parts.local().is_stand_in
    assert desk.last is not None
    assert desk.last.outcome.answer.reason == "no_key"
    desk.loading.end()
    desk.close()


def test_a_model_that_has_come_between_two_questions_answers_the_next(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHAMMAH_HOME", str(home.path))
    monkeypatch.setenv("SHAMMAH_ANSWER_MAX_TOKENS", "2")
    settings = config.load()
    desk = Desk(settings, "here", Loading(settings), Loading, lambda *_: "")
    pull = desk.journal.pulls.want("qwen2.5-0.5b", "Qwen2.5 0.5B", 1000)
    desk.journal.pulls.postpone(pull, "", 3000)
    desk.ask(following(QUESTION, None, settings, "here"))
    pulling.use(home.path, write_tiny(tmp_path / "own.gguf"))
    desk.journal.pulls.close(pull, "it is here")
    desk.ask(following(QUESTION, None, settings, "here"))
    assert desk.last is not None
    assert desk.last.outcome.answer.model == "tiny"
    desk.loading.end()
    desk.close()


def test_a_fetch_that_was_killed_goes_on_with_the_next_question(home: Home, hub: Hub) -> None:
    with home.journal() as journal:
        model = catalog.models()[0]
        journal.pulls.want(model.name, model.title, model.size_bytes)
        (home.path / "fetching.lock").write_text(str(os.getpid()))  # whoever it names, nobody holds it
    hub.files = {(model.repository, model.file): next(iter(hub.files.values()))}
    hub.cards = {model.repository: {"license": model.licence}}
    home.run("ask", QUESTION)
    until_here(home)
    assert hub.bodies() != []


def test_a_fetch_that_cannot_succeed_is_told_with_the_next_command(home: Home, hub: Hub) -> None:
    hub.files = {("another/repository", "x.gguf"): b""}
    with home.journal() as journal:
        journal.pulls.want("qwen2.5-0.5b", "Qwen2.5 0.5B", 1)
    home.run("ask", QUESTION)
    until_here(home)
    told = home.run("ask", QUESTION)
    assert "Qwen2.5 0.5B was not fetched" in told.stderr
    assert "models pull qwen2.5-0.5b" in told.stderr
    assert reason(home) == ("local", "no_key")


@pytest.mark.parametrize(
    ("typed", "default", "is_yes"),
    [
        ("\n", True, True),
        ("\n", False, False),
        ("Yes\n", False, True),
        ("y\n", False, True),
        ("no\n", True, False),
        ("N\n", True, False),
        ("how do I list files\nquit\n", True, False),
        ("yellow\nnone\n", True, False),
        ("how do I list files\ny\n", False, True),
        ("what?\n\n", True, True),
    ],
)
def test_only_a_yes_or_an_empty_line_agrees(
    typed: str, default: bool, is_yes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert asked("Fetch it? ", default) is is_yes


def test_an_end_of_input_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("what?\n"))
    with pytest.raises(EOFError):
        asked("Fetch it? ", default=True)
