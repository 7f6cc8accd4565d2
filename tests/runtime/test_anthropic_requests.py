"""Anthropic's requests: what they ask for, and how those are refused that ask for what there is not."""

from typing import Any

import pytest

from shammah.generation import ANY_TOOL
from shammah.serve import anthropic_messages
from shammah.serve.wanted import Defaults, Refused, Wanted

DEFAULTS = Defaults("Be brief.", 100, 0.3)
HELLO = [{"role": "user", "content": "hello"}]
WEATHER = {"name": "weather", "input_schema": {"type": "object"}}
USE = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}}


def messages(**fields: Any) -> Wanted:
    return anthropic_messages.wanted({"model": "shammah", "max_tokens": 50, "messages": HELLO} | fields, DEFAULTS)


def refused(**fields: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        messages(**fields)
    return caught.value


def result(**fields: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1"} | fields]}


def test_a_plain_request_is_a_conversation() -> None:
    wanted = messages(system=[{"type": "text", "text": "Be long.", "cache_control": {"type": "ephemeral"}}])
    assert [(m.role, m.content) for m in wanted.messages] == [("system", "Be long."), ("user", "hello")]
    assert (wanted.sampling.max_tokens, wanted.max_tokens) == (50, 50)


def test_what_came_of_a_tool_is_text_of_our_own() -> None:
    turns = [*HELLO, {"role": "assistant", "content": [{"type": "text", "text": "I look."}, USE]}]
    wanted = messages(tools=[WEATHER], messages=[*turns, result(content=[{"type": "text", "text": "dry"}])])
    assert wanted.messages[-2].content.startswith("I look.\n<tool_call>\n")
    assert wanted.messages[-1].content == "<tool_response>\ndry\n</tool_response>"


def test_a_tool_that_failed_says_so() -> None:
    turns = [*HELLO, {"role": "assistant", "content": [USE]}, result(content="no network", is_error=True)]
    assert "Error: no network" in messages(tools=[WEATHER], messages=turns).messages[-1].content


def test_earlier_thoughts_are_left_out() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "x"}
    turns = [*HELLO, {"role": "assistant", "content": [thought, {"type": "text", "text": "hi"}]}, *HELLO]
    assert [m.content for m in messages(messages=turns).messages[1:]] == ["hello", "hi", "hello"]


@pytest.mark.parametrize(
    ("choice", "tool"),
    [({"type": "auto"}, ""), ({"type": "any"}, ANY_TOOL), ({"type": "tool", "name": "weather"}, "weather")],
)
def test_the_choice_of_a_tool_is_heeded(choice: dict[str, Any], tool: str) -> None:
    sampling = messages(tools=[WEATHER], tool_choice=choice).sampling
    assert (sampling.tool, bool(sampling.grammar)) == (tool, bool(tool))


def test_greedy_may_be_said_by_top_k() -> None:
    assert messages(top_k=1, temperature=0.7).sampling.temperature == 0.0


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"messages": [*HELLO, {"role": "assistant", "content": "He"}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [USE]}]}, "messages[0].content[0].type"),
        ({"messages": [result(content="x")]}, "messages[0].content[0].tool_use_id"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search", "input_schema": {}}]}, "tools[0].type"),
        ({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "x"}}, "tool_choice.name"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "thinking.type"),
        ({"top_k": 5}, "top_k"),
        ({"mcp_servers": []}, "mcp_servers"),
    ],
)
def test_what_cannot_be_done_is_refused_by_its_name(fields: dict[str, Any], param: str) -> None:
    error = refused(**fields)
    assert (error.status, error.param) == (400, param)


def test_tokens_are_counted_without_a_bound_on_the_answer() -> None:
    body = {"model": "shammah", "messages": HELLO, "tools": [WEATHER], "thinking": {"type": "disabled"}}
    assert anthropic_messages.counted(body, DEFAULTS)[-1].content == "hello"
