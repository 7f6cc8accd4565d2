"""Answers in both APIs' forms, whole and streamed; what a client makes of them is tested with the real clients."""

import json
from dataclasses import replace
from typing import Any

import pytest

from shammah.errors import BudgetReached, ContextTooLong, EngineBusy, KeyMissing, ShammahError, TeacherError
from shammah.generation import Finish
from shammah.serve.anthropic_replies import Messages
from shammah.serve.failures import of_error
from shammah.serve.openai_replies import Chat, Text
from shammah.serve.spoken import Dialect, Head, Whole
from shammah.serve.wanted import Refused
from shammah.tool_text import Call

HEAD = Head("ab12", "shammah", 1_700_000_000)
TOLD: dict[str, Any] = {"model": "seedling", "adapters": [{"name": "cooking", "scale": 0.5}], "route": "local"}
WHOLE = Whole(HEAD, "hello", (), Finish.STOP, 12, 3, TOLD)
ROME = Call("weather", {"city": "Rome"})


def stream(dialect: Dialect, *pieces: str | Call, whole: Whole = WHOLE) -> list[dict[str, Any]]:
    """All events of a stream but the last mark of OpenAI's."""
    sent = [*dialect.opening(HEAD)]
    for piece in pieces:
        sent += dialect.piece(piece)
    sent += dialect.closing(whole)
    lines = [line for event in sent for line in event.splitlines() if line.startswith("data: ")]
    return [json.loads(line.removeprefix("data: ")) for line in lines if line != "data: [DONE]"]


def test_a_chat_completion_has_all_that_clients_read() -> None:
    reply = Chat().whole(WHOLE)
    assert (reply["id"], reply["object"], reply["created"]) == ("chatcmpl-ab12", "chat.completion", 1_700_000_000)
    assert reply["choices"][0]["message"] == {"role": "assistant", "content": "hello", "refusal": None}
    assert reply["usage"] == {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
    assert reply["system_fingerprint"] == "seedling+cooking:0.5"
    assert reply["shammah"] == TOLD


@pytest.mark.parametrize(
    ("finish", "openai", "anthropic"),
    [
        (Finish.STOP, "stop", "end_turn"),
        (Finish.LENGTH, "length", "max_tokens"),
        (Finish.REFUSAL, "content_filter", "refusal"),
    ],
)
def test_each_api_has_its_word_for_the_end(finish: Finish, openai: str, anthropic: str) -> None:
    whole = replace(WHOLE, finish=finish)
    assert Chat().whole(whole)["choices"][0]["finish_reason"] == openai
    assert Messages().whole(whole)["stop_reason"] == anthropic


def test_anthropics_clients_hear_which_stop_sequence_came() -> None:
    whole = replace(WHOLE, stop_text="END")
    assert [Messages().whole(whole)[name] for name in ("stop_reason", "stop_sequence")] == ["stop_sequence", "END"]
    assert stream(Messages(), "hello", whole=whole)[-2]["delta"]["stop_sequence"] == "END"


def test_a_call_is_a_call_in_both() -> None:
    whole = replace(WHOLE, text="", calls=(ROME,))
    choice = Chat().whole(whole)["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"]) == ROME.arguments
    (block,) = Messages().whole(whole)["content"]
    assert (block["type"], block["input"]) == ("tool_use", ROME.arguments)


def test_usage_comes_last_where_it_is_wanted() -> None:
    assert [chunk["choices"] for chunk in stream(Chat(includes_usage=True), "hello")][-1] == []
    assert stream(Chat(includes_usage=True), "hello")[-1]["usage"]["total_tokens"] == 15
    assert all(chunk["choices"] for chunk in stream(Chat(), "hello"))


def test_a_plain_completion_streams_its_text() -> None:
    chunks = stream(Text(), "hel", "lo")
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == "hello"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_anthropic_blocks_open_and_close_in_order() -> None:
    events = stream(Messages(), "I look.", ROME, "And?", whole=replace(WHOLE, calls=(ROME,)))
    assert [(event["type"], event.get("index")) for event in events if event["type"] != "ping"] == [
        ("message_start", None),
        *[(f"content_block_{step}", 0) for step in ("start", "delta", "stop")],
        *[(f"content_block_{step}", 1) for step in ("start", "delta", "stop")],
        *[(f"content_block_{step}", 2) for step in ("start", "delta", "stop")],
        ("message_delta", None),
        ("message_stop", None),
    ]
    assert events[-2]["delta"]["stop_reason"] == "tool_use"
    assert events[-2]["usage"] == {"input_tokens": 12, "output_tokens": 3}


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (Refused("no", "n"), 400, "invalid_request_error", "invalid_value"),
        (ContextTooLong("too long"), 400, "invalid_request_error", "context_length_exceeded"),
        (KeyMissing("no key"), 403, "permission_error", "teacher_key_missing"),
        (BudgetReached("spent"), 429, "billing_error", "insufficient_quota"),
        (TeacherError("down"), 502, "api_error", "teacher_failed"),
        (EngineBusy("full"), 429, "rate_limit_error", "engine_busy"),
        (ShammahError("odd"), 500, "api_error", "failed"),
    ],
)
def test_our_errors_have_a_status_and_a_name(error: ShammahError, status: int, kind: str, code: str) -> None:
    failure = of_error(error)
    assert (failure.status, failure.as_anthropic()["error"]["type"]) == (status, kind)
    assert failure.as_openai()["error"]["code"] == code


def test_clients_try_again_where_that_may_help_alone() -> None:
    assert of_error(EngineBusy("full", retry_after_seconds=3)).headers == {"retry-after": "3", "x-should-retry": "true"}
    assert of_error(BudgetReached("spent")).headers == {"x-should-retry": "false"}


def test_an_error_says_what_to_do_next() -> None:
    assert of_error(KeyMissing("the teacher has no key")).message.startswith("the teacher has no key. Set ANTHROPIC")
