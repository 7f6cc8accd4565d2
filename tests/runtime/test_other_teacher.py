"""Another teacher than Claude, behind OpenAI's API: a real server that behaves well or badly."""

import time

import pytest

from shammah.catalog import Price
from shammah.errors import ConfigError, KeyMissing, ShammahError, TeacherError
from shammah.generation import Chunk, Completion, Finish, Sampling, Toolbox, ToolCall, collect
from shammah.settings import TeacherSettings
from shammah.teacher import Access, Teacher, called, called_all, price_of
from shammah_convert.chat import Message
from tests.anthropic_server import AnthropicServer
from tests.behaviours import (
    Answer,
    BadJson,
    Behaviour,
    CutClean,
    CutDirty,
    Drip,
    ErrorEvent,
    Garbage,
    Mute,
    Redirect,
    Stall,
    Status,
)
from tests.openai_server import openai_server

QUESTION = [Message("user", "how do i list files?")]
WEATHER = {"name": "weather", "description": "The weather.", "input_schema": {"type": "object", "properties": {}}}
SHORT_SECONDS, GRACE_SECONDS, PATIENT_SECONDS = 0.8, 0.5, 30.0
OPENAI = TeacherSettings(provider="openai", model="gpt-test")


@pytest.fixture(autouse=True)
def _in_a_plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("http", "https", "all"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme}_proxy".upper(), raising=False)
    monkeypatch.setattr("shammah.teacher.asking.FIRST_PAUSE_SECONDS", 0.01)


def teacher_at(server: AnthropicServer, seconds: float = PATIENT_SECONDS, price: Price | None = None) -> Teacher:
    settings = TeacherSettings(provider="openai", model="gpt-test", deadline_seconds=seconds)
    return Teacher(Access("a-key", f"{server.url}/v1", "openai"), settings, price)


def ask(server: AnthropicServer, seconds: float = PATIENT_SECONDS) -> Completion:
    return collect(teacher_at(server, seconds).stream(QUESTION, Sampling(100)))


def test_a_whole_answer_comes_with_its_use_and_cost() -> None:
    with openai_server(Answer("use ls", input_tokens=1000, output_tokens=200)) as server:
        completion = collect(teacher_at(server, price=Price(2.0, 10.0)).stream(QUESTION, Sampling(100)))
        [request] = server.requests
    assert completion.text == "use ls"
    assert (completion.end.finish, completion.end.prompt_tokens) == (Finish.STOP, 1000)
    assert completion.end.cost_usd == pytest.approx(1000 * 2e-6 + 200 * 10e-6)
    assert request.headers["authorization"] == "Bearer a-key"
    assert request.body["messages"] == [{"role": "user", "content": "how do i list files?"}]


def test_a_tool_is_called_and_its_arguments_come_whole() -> None:
    with openai_server(Answer("I look.", calls=(("weather", {"city": "Rome"}),))) as server:
        chunks = list(teacher_at(server).stream(QUESTION, Sampling(toolbox=Toolbox((WEATHER,)))))
    assert Chunk(call=ToolCall("call_0", "weather", '{"city": "Rome"}')) in chunks
    assert chunks[-1].end is not None
    assert chunks[-1].end.finish is Finish.TOOL


@pytest.mark.parametrize(
    ("fault", "words", "calls"),
    [
        (Status(401, "invalid_request_error", "bad key"), "gpt-test refused the key: bad key", 1),
        (Status(400, "invalid_request_error", "no such model"), "answered with status 400: no such model", 1),
        (Status(429, "insufficient_quota", "You exceeded your current quota"), "status 429", 1),
        (Status(503, "server_error", "later"), "status 503: later", 4),
        (Garbage(), "what came back is not OpenAI's API", 2),
        (Redirect("http://127.0.0.1:1"), "redirects are not followed", 1),
        (CutClean("use"), "was cut off", 1),
        (CutDirty("use"), "was cut off", 1),
        (BadJson("use"), "what came back is not OpenAI's API", 1),
        (ErrorEvent("use", "server_error", "out of memory"), "broke off: out of memory", 1),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str | int) else "",
)
def test_each_fault_ends_in_its_error_after_as_many_calls_as_it_is_worth(
    fault: Behaviour, words: str, calls: int
) -> None:
    with openai_server(fault) as server:
        with pytest.raises(ShammahError, match=words) as raised:
            ask(server)
        assert len(server.requests) == calls
    assert isinstance(raised.value, KeyMissing if "key" in words else TeacherError)


@pytest.mark.parametrize("fault", [Mute(), Stall(), Stall("use"), Drip(), Drip("use")])
def test_whatever_a_server_holds_back_the_deadline_holds(fault: Behaviour) -> None:
    begun = time.monotonic()
    with openai_server(fault) as server, pytest.raises(TeacherError):
        ask(server, SHORT_SECONDS)
    assert time.monotonic() - begun < SHORT_SECONDS + GRACE_SECONDS + 1.0  # of which the server's own end is one


def test_trouble_before_the_first_text_is_tried_again() -> None:
    with openai_server(Status(503), Answer("use ls")) as server:
        assert ask(server).text == "use ls"


def test_a_server_on_this_machine_needs_no_key_and_costs_nothing() -> None:
    here = {"OPENAI_BASE_URL": "http://127.0.0.1:8000/v1"}
    assert Access.find(OPENAI, here) == Access("", "http://127.0.0.1:8000/v1", "openai")
    assert price_of(OPENAI, here) == Price(0.0, 0.0)


def test_a_server_elsewhere_needs_a_key_and_has_the_price_that_is_set() -> None:
    assert Access.find(OPENAI, {}) is None
    assert Access.find(OPENAI, {"OPENAI_API_KEY": "k"}) == Access("k", "https://api.openai.com/v1", "openai")
    assert price_of(OPENAI, {}) is None
    assert price_of(TeacherSettings(provider="openai", model="gpt-test", prompt_usd=1.5), {}) is None
    priced = TeacherSettings(provider="openai", model="gpt-test", prompt_usd=1.5, completion_usd=6.0)
    assert price_of(priced, {}) == Price(1.5, 6.0)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/v1",
        "ftp://127.0.0.1",
        "https://",
        "http://[::1",
        "https://x:a",
        "https://user:geheim@x/v1",
        "https://x/v1?a=1",
        "https://x/v1#f",
        "https://x/\tv1",
    ],
)
def test_an_address_that_would_carry_a_prompt_in_the_clear_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="base URL") as refused:
        Access.find(OPENAI, {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": url})
    assert "geheim" not in str(refused.value)


def test_claude_is_not_asked_by_openais_api() -> None:
    with pytest.raises(ConfigError, match="is no model of OpenAI's API"):
        Access.find(TeacherSettings(provider="openai"), {"OPENAI_API_KEY": "k"})


def test_a_teacher_is_called_by_its_name() -> None:
    assert (called("claude-sonnet-5-5"), called("gpt-test")) == ("Claude", "gpt-test")


@pytest.mark.parametrize(
    ("models", "name"),
    [
        ([], "gpt-test"),
        (["claude-sonnet-5-5", "claude-opus-5"], "Claude"),
        (["gpt-old"], "gpt-old"),
        (["claude-sonnet-5-5", "gpt-test"], "the teacher"),
    ],
)
def test_several_teachers_are_called_together_what_fits_them_all(models: list[str], name: str) -> None:
    assert called_all(models, otherwise="gpt-test") == name
