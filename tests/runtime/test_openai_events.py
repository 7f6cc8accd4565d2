"""A stream of OpenAI's API, read as an answer."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from shammah.compatible.events import ErrorEvent, NoEvents, Reading, data_of
from shammah.generation import Chunk, Finish, ToolCall


def read(*events: Any) -> tuple[list[Chunk], Reading]:
    reading = Reading()
    return [chunk for event in events for chunk in reading.read(json.dumps(event))], reading


def delta(finish: str | None = None, logprobs: Any = None, **said: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": said, "finish_reason": finish, "logprobs": logprobs}]}


def test_text_comes_with_the_log_probability_of_each_token() -> None:
    told = {"content": [{"token": "l", "logprob": -0.5}, {"token": "s", "logprob": -0.25}]}
    chunks, _ = read(delta(role="assistant", content=""), delta(content="ls", logprobs=told), delta(content=" -a"))
    assert chunks == [Chunk("ls", -0.5), Chunk("", -0.25), Chunk(" -a")]


def test_the_model_that_answers_is_named_with_its_first_piece() -> None:
    reading = Reading()
    next(reading.read(json.dumps({"model": "qwen"} | delta(content="ls"))))
    assert reading.model == "qwen"


@pytest.mark.parametrize(
    ("word", "finish"),
    [
        ("stop", Finish.STOP),
        ("length", Finish.LENGTH),
        ("content_filter", Finish.REFUSAL),
        ("tool_calls", Finish.TOOL),
        ("abort", Finish.CUT),
    ],
)
def test_the_end_has_its_reason(word: str, finish: Finish) -> None:
    assert read(delta(content="ls"), delta(word))[1].finish is finish


def test_a_call_is_gathered_from_its_pieces_and_comes_whole() -> None:
    first = {"index": 0, "id": "call_a", "function": {"name": "weather", "arguments": '{"ci'}}
    then = {"index": 0, "function": {"arguments": 'ty": "Rome"}'}}
    chunks, reading = read(delta(tool_calls=[first]), delta(tool_calls=[then]), delta("stop"))
    assert chunks == [Chunk(call=ToolCall("call_a", "weather", '{"city": "Rome"}'))]
    assert reading.finish is Finish.TOOL


def test_usage_may_come_after_the_end() -> None:
    _, reading = read(delta("stop"), {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7}})
    assert reading.usage == (5, 7)


@pytest.mark.parametrize("tokens", [-1, 10**30, "many"])
def test_a_number_of_tokens_that_is_none_is_no_event(tokens: Any) -> None:
    with pytest.raises(NoEvents):
        read({"choices": [], "usage": {"prompt_tokens": tokens, "completion_tokens": 1}})


def test_a_log_probability_is_at_most_0() -> None:
    told = {"content": [{"logprob": 1e308}, {"logprob": -1e308}, {"logprob": -0.5}]}
    chunks, _ = read(delta(content="ls", logprobs=told))
    assert [chunk.logprob for chunk in chunks] == [-1000.0, -0.5]


def test_an_error_within_the_stream_is_raised_with_its_words() -> None:
    with pytest.raises(ErrorEvent, match="out of memory"):
        read(delta(content="ls"), {"error": {"message": "out of memory"}})


@pytest.mark.parametrize("data", ["{oh", "[1]", "[" * 100_000])
def test_what_is_no_event_is_none(data: str) -> None:
    with pytest.raises(NoEvents):
        list(Reading().read(data))


def test_lines_are_events_by_their_blank_lines_and_comments_are_none() -> None:
    lines = [": ping", "", "event: x", "data: a", "data: b", "", "data:c", "id: 7", "", "data: last"]
    assert list(data_of(lines)) == ["a\nb", "c", "last"]


def test_an_event_that_never_ends_is_given_up() -> None:
    endless = ("data: " + "x" * 1000 for _ in iter(int, 1))
    with pytest.raises(NoEvents, match="no end"):
        list(data_of(endless))
    with pytest.raises(NoEvents, match="no end"):
        list(data_of("data:" for _ in iter(int, 1)))


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text() | some.floats(allow_nan=False),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(
            some.sampled_from(["choices", "delta", "content", "tool_calls", "usage", "logprobs", "index", "function"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


EVENTS = some.fixed_dictionaries(
    {"choices": JSON | some.lists(some.fixed_dictionaries({"delta": JSON}))}, optional={"usage": JSON}
)


@given(EVENTS | JSON)
def test_whatever_json_comes_ends_in_pieces_or_in_an_error_of_its_own(event: Any) -> None:
    reading = Reading()
    try:
        chunks = list(reading.read(json.dumps(event)))
    except (NoEvents, ErrorEvent):
        return
    assert all(isinstance(chunk.text, str) for chunk in chunks)
    assert all(chunk.logprob is None or not math.isnan(chunk.logprob) for chunk in chunks)
