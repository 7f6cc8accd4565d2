"""A server that runs another model by now: whoever has it open notices, and credits no answer to the wrong one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shammah import config, feedback
from shammah.adapters import hash_of
from shammah.bases import SEEDLING
from shammah.errors import NotServed, ServedAnew
from shammah.feedback import Feedback
from shammah.generation import Sampling
from shammah.journal import Journal
from shammah.policy import Side
from shammah.records.examples import Rating
from shammah.records.questions import Question
from shammah.repl.desk import Desk
from shammah.repl.loading import Loading
from shammah.settings import Settings
from shammah.turn import Request
from shammah.worker import Worker
from tests.model_server import NAME, SOURCE, ModelServer
from tests.serving import Serving
from tests.whole.command import Home

ASKED = Request("how do i list hidden files", "here", forced=Side.LOCAL, sampling=Sampling(4))
TUNED = "/models/tuned.gguf"


@pytest.fixture(scope="module")
def running() -> Iterator[ModelServer]:
    with ModelServer("llama.cpp") as server:
        yield server


@pytest.fixture
def server(running: ModelServer) -> ModelServer:
    running.change(name=NAME, source=SOURCE, says="", kind="llama.cpp", meta={})
    return running


@pytest.fixture
def settings(server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    home = Home(tmp_path / "home", {"SHAMMAH_MODEL_SERVER": server.url, "SHAMMAH_WORKER_ENABLED": "false"})
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)
    return config.load()


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is looked at before each request."""
    monkeypatch.setattr("shammah.compatible.watch.AGAIN_SECONDS", 0.0)
    monkeypatch.setattr("shammah.serve.served.AGAIN_SECONDS", 0.0)


@pytest.fixture
def desk(settings: Settings) -> Iterator[Desk]:
    opened = Desk(settings, "here", Loading(settings), Loading, lambda *_: "")
    yield opened
    opened.loading.end()
    opened.close()


def ask(desk: Desk) -> Question:
    desk.ask(ASKED)
    return desk.journal.recent(1)[0]


@pytest.mark.parametrize("kind", ["llama.cpp", "vllm", "ollama"])
@pytest.mark.usefixtures("always")
def test_another_model_of_the_same_name_counts_for_itself(
    server: ModelServer, desk: Desk, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.change(kind=kind)
    before, again = ask(desk), ask(desk)
    server.change(source=TUNED)
    after = ask(desk)
    assert before.lineage == again.lineage != after.lineage
    assert desk.parts.base.sha256 == after.lineage
    said = " ".join(capsys.readouterr().err.split())
    assert f"runs {NAME} ({TUNED}) now, in the place of {NAME} ({SOURCE}): it counts as" in said
    assert said.count("counts as another model") == 1


@pytest.mark.usefixtures("always")
def test_another_name_is_another_model_in_every_dialect(server: ModelServer, desk: Desk) -> None:
    server.change(kind="plain")
    before = ask(desk)
    server.change(name="another")
    after = ask(desk)
    assert before.lineage != after.lineage
    assert [desk.journal.answers(one)[0].model for one in (before, after)] == [NAME, "another"]


def test_an_answer_that_names_another_model_is_nobodys(server: ModelServer, desk: Desk) -> None:
    before = ask(desk)
    server.change(name="another", source=TUNED)
    with pytest.raises(ServedAnew, match="runs another now, in the place of"):
        ask(desk)
    unanswered = desk.journal.recent(1)[0]
    after = ask(desk)
    assert desk.journal.answers(unanswered) == []
    assert not unanswered.is_counted
    assert before.lineage != after.lineage
    assert desk.journal.answers(after)[0].model == "another"


def test_a_server_may_call_what_it_lists_by_another_name_in_its_answers(server: ModelServer, desk: Desk) -> None:
    server.change(says="the-same-by-its-first-name")
    assert ask(desk).lineage == ask(desk).lineage


def test_what_was_replaced_before_it_was_opened_is_named_and_the_next_question_is_its_successors(
    server: ModelServer, settings: Settings, desk: Desk
) -> None:
    before = ask(desk)
    server.change(source=TUNED)
    desk.parts.close()
    with pytest.raises(ServedAnew):
        ask(desk)
    assert ask(desk).lineage != before.lineage


@pytest.mark.usefixtures("always")
def test_the_daemon_counts_for_the_model_that_runs_by_now(server: ModelServer, settings: Settings) -> None:
    body: dict[str, Any] = {"model": "shammah:local", "max_tokens": 4, "messages": [{"role": "user", "content": "ls"}]}
    with Serving(Home(settings.home, {"SHAMMAH_MODEL_SERVER": server.url})) as serving:
        first, _, _ = serving.http("POST", "/v1/chat/completions", body)
        server.change(name="another", source=TUNED)
        second, reply, _ = serving.http("POST", "/v1/chat/completions", body)
        known = serving.house.opened.base
    assert (first, second) == (200, 200)
    assert reply["shammah"]["model"] == known.name == "another"
    with Journal(settings.home) as journal:
        after, before = journal.recent(2)
        [notice] = journal.notices.take()
    assert after.lineage == known.sha256 != before.lineage
    assert "runs another now" in notice


@pytest.mark.usefixtures("always")
def test_the_background_takes_no_other_model_for_the_one_that_was_corrected(
    server: ModelServer, settings: Settings, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        feedback.rate(desk.journal, ask(desk), Feedback(Rating.MEDIUM, note="shorter"), has_teacher=False)
    sources = iter([SOURCE, TUNED])

    def load() -> Settings:
        server.change(source=next(sources))
        return settings

    Worker(settings, desk.journal, load).work()
    failed = [line for line in caplog.messages if "failed" in line]
    assert len(failed) == 1
    assert "the model that the question counts for was replaced" in failed[0]


@pytest.mark.usefixtures("always")
def test_a_file_is_trusted_no_more_once_its_server_runs_what_it_cannot_be(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home.used(tmp_path / "home", {"SHAMMAH_MODEL_SERVER": server.url, "SHAMMAH_MODEL_PATH": str(SEEDLING)})
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)
    settings = config.load()
    desk = Desk(settings, "here", Loading(settings), Loading, lambda *_: "")
    server.change(source="/elsewhere/seedling.gguf")
    before = ask(desk)
    server.change(source="/elsewhere/qwen.gguf", meta={"n_params": 494_032_768})
    with pytest.raises(NotServed, match="494,032,768 parameters"):
        ask(desk)
    server.change(source="/elsewhere/seedling.gguf", meta={})
    after = ask(desk)
    desk.loading.end()
    desk.close()
    assert before.lineage == after.lineage == hash_of(SEEDLING)
    assert "runs seedling-served (/elsewhere/qwen.gguf) now" in " ".join(capsys.readouterr().err.split())
