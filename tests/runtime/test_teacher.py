"""The teacher through the real SDK, against a real server that behaves well or badly."""

import threading

import pytest

from shammah.catalog import Price
from shammah.errors import ConfigError
from shammah.generation import Finish, Sampling, collect
from shammah.settings import TeacherSettings
from shammah.teacher import Access, most_tokens
from shammah_convert.chat import Message
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer
from tests.teachers import QUESTION, ask, teacher_at, warm_sdk_in_a_plain_environment

__all__ = ["warm_sdk_in_a_plain_environment"]

# --- whole answers ---


def test_a_whole_answer_comes_with_its_use_and_cost() -> None:
    with AnthropicServer([Answer("use ls", input_tokens=1000, output_tokens=200)]) as server:
        teacher = teacher_at(server, price=Price(2.0, 10.0))
        completion = collect(teacher.stream(QUESTION, Sampling(100)))
    assert completion.text == "use ls"
    end = completion.end
    assert (end.finish, end.prompt_tokens, end.completion_tokens) == (Finish.STOP, 1000, 200)
    assert end.cost_usd == pytest.approx(1000 * 2e-6 + 200 * 10e-6)


def test_an_answer_without_a_known_price_has_no_cost() -> None:
    with AnthropicServer([Answer("use ls")]) as server:
        assert ask(server).end.cost_usd is None


def test_the_request_names_the_model_the_key_and_the_longest_answer() -> None:
    with AnthropicServer([Answer("use ls")]) as server:
        ask(server)
        [request] = server.requests
    assert request.body["model"] == "claude-sonnet-5-5"
    assert request.body["max_tokens"] == 100
    assert "a-key" in (request.headers.get("x-api-key"), request.headers["authorization"].removeprefix("Bearer "))


def test_the_request_has_no_sampling_parameter_that_the_api_refuses() -> None:
    with AnthropicServer([Answer("use ls")]) as server:
        collect(teacher_at(server).stream(QUESTION, Sampling(100, temperature=0.7, seed=3)))
        [request] = server.requests
    assert set(request.body) == {"model", "max_tokens", "messages", "stream"}


def test_a_system_message_goes_where_the_api_wants_it() -> None:
    with AnthropicServer([Answer("use ls")]) as server:
        ask(server, [Message("system", "Be brief."), *QUESTION])
        [request] = server.requests
    assert request.body["system"] == "Be brief."
    assert [turn["role"] for turn in request.body["messages"]] == ["user"]


def test_the_whole_conversation_is_sent_in_order() -> None:
    turns = [Message("user", "1 file?"), Message("assistant", "ls 1"), Message("user", "und üben 🙂?")]
    with AnthropicServer([Answer("use ls")]) as server:
        ask(server, turns)
        [request] = server.requests
    assert request.body["messages"] == [{"role": turn.role, "content": turn.content} for turn in turns]


def test_an_empty_turn_which_the_api_would_refuse_is_left_out() -> None:
    with AnthropicServer([Answer("use ls")]) as server:
        completion = ask(server, [Message("user", "hm"), Message("assistant", ""), *QUESTION])
        [request] = server.requests
    assert completion.text == "use ls"
    assert [turn["role"] for turn in request.body["messages"]] == ["user", "user"]


def test_the_first_piece_arrives_before_the_rest_is_written() -> None:
    is_seen = threading.Event()
    with AnthropicServer([Answer("first then", chunks=2, hold=is_seen)]) as server:
        stream = teacher_at(server).stream(QUESTION, Sampling(100))
        first = next(stream).text
        is_seen.set()
        assert (first, collect(stream).text) == ("first", "then")


def test_every_piece_arrives_once_and_in_order() -> None:
    text = "".join(f"{number} ünïcode 🙂\n" for number in range(200))
    shown: list[str] = []
    with AnthropicServer([Answer(text, chunks=500)]) as server:
        ask(server, show=shown.append)
    assert "".join(shown) == text
    assert len(shown) > 400


def test_only_the_last_chunk_has_an_end() -> None:
    with AnthropicServer([Answer("use ls", chunks=3)]) as server:
        chunks = list(teacher_at(server).stream(QUESTION, Sampling(100)))
    assert [chunk.end is not None for chunk in chunks] == [False, False, False, True]


def test_thinking_is_not_shown() -> None:
    with AnthropicServer([Answer("use ls", thinking="the person wants a list")]) as server:
        assert ask(server).text == "use ls"


@pytest.mark.parametrize(
    ("stop_reason", "finish"),
    [
        ("end_turn", Finish.STOP),
        ("stop_sequence", Finish.STOP),
        ("max_tokens", Finish.LENGTH),
        ("model_context_window_exceeded", Finish.LENGTH),
        ("refusal", Finish.REFUSAL),
        ("pause_turn", Finish.CUT),
        ("a_reason_of_tomorrow", Finish.CUT),
    ],
)
def test_the_finish_says_why_the_answer_ended(stop_reason: str, finish: Finish) -> None:
    with AnthropicServer([Answer("use", stop_reason=stop_reason)]) as server:
        assert ask(server).end.finish is finish


# --- where the teacher is, and how long a prompt can be ---


@pytest.mark.parametrize(
    ("base_url", "environ", "found"),
    [
        ("", {}, None),
        ("", {"ANTHROPIC_API_KEY": " \n"}, None),
        ("", {"ANTHROPIC_API_KEY": "k"}, Access("k", "https://api.anthropic.com")),
        ("", {"ANTHROPIC_API_KEY": " k\n"}, Access("k", "https://api.anthropic.com")),
        ("", {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": "https://b"}, Access("k", "https://b")),
        ("", {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": " "}, Access("k", "https://api.anthropic.com")),
        ("https://a", {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": "https://b"}, Access("k", "https://a")),
        ("http://127.0.0.1:8", {"ANTHROPIC_API_KEY": "k"}, Access("k", "http://127.0.0.1:8")),
        ("http://localhost:8", {"ANTHROPIC_API_KEY": "k"}, Access("k", "http://localhost:8")),
        ("http://[::1]:8", {"ANTHROPIC_API_KEY": "k"}, Access("k", "http://[::1]:8")),
    ],
)
def test_access_is_found(base_url: str, environ: dict[str, str], found: Access | None) -> None:
    assert Access.find(TeacherSettings(base_url=base_url), environ) == found


@pytest.mark.parametrize(
    "url",
    [
        "http://api.anthropic.com",
        "http://10.0.0.7:8000",
        "http://localhost.example.com",
        "http://127.0.0.1@example.com",
        "ftp://localhost",
        "file:///etc/passwd",
        "https://",
        "api.anthropic.com",
        "http://[::1",
        "http://local\thost",
    ],
)
def test_an_address_that_would_show_the_prompt_to_others_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="base URL"):
        Access.find(TeacherSettings(), {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": url})


def test_the_bound_of_the_prompts_tokens_counts_bytes_and_frames() -> None:
    assert most_tokens([Message("system", "äb"), Message("user", "")]) == 3 + 16 + 16
