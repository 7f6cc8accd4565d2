"""OpenAI's requests: what they ask for, and how those are refused that ask for what there is not."""

from typing import Any

import pytest

from shammah.generation import ANY_TOOL
from shammah.policy import Side
from shammah.serve import openai_chat, openai_completions
from shammah.serve.wanted import Defaults, Refused, Wanted, Way
from shammah.tool_text import split_tools

DEFAULTS = Defaults("Be brief.", 100, 0.3)
HELLO = [{"role": "user", "content": "hello"}]
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}


def chat(**fields: Any) -> Wanted:
    return openai_chat.wanted({"model": "shammah", "messages": HELLO} | fields, DEFAULTS)


def refused(**fields: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        chat(**fields)
    return caught.value


@pytest.mark.parametrize(
    ("model", "way"),
    [
        ("shammah", Way()),
        ("shammah:local", Way(Side.LOCAL)),
        ("shammah:teacher", Way(Side.TEACHER)),
        ("shammah:adapter=cooking", Way(Side.LOCAL, "cooking")),
        ("shammah:adapter=cooking:0.5", Way(Side.LOCAL, "cooking:0.5")),
    ],
)
def test_the_model_chooses_the_way(model: str, way: Way) -> None:
    assert chat(model=model).way == way


@pytest.mark.parametrize("model", ["gpt-4o", "shammah:", "shammah:adapter=", "Shammah", "shammah:locale"])
def test_another_model_is_not_found(model: str) -> None:
    error = refused(model=model)
    assert (error.status, error.code, error.param) == (404, "model_not_found", "model")


def test_the_settings_speak_where_the_client_does_not() -> None:
    wanted = chat()
    assert [(m.role, m.content) for m in wanted.messages] == [("system", "Be brief."), ("user", "hello")]
    assert (wanted.sampling.max_tokens, wanted.sampling.temperature, wanted.max_tokens) == (100, 0.3, None)


def test_the_client_speaks_louder() -> None:
    wanted = chat(
        messages=[{"role": "developer", "content": "Be long."}, *HELLO],
        max_completion_tokens=7,
        temperature=0,
        top_p=0.9,
        seed=-1,
        stop="END",
        stream=True,
        stream_options={"include_usage": True},
    )
    assert wanted.messages[0].content == "Be long."
    assert (wanted.sampling.max_tokens, wanted.sampling.temperature, wanted.max_tokens) == (7, 0.0, 7)
    assert (wanted.sampling.seed, wanted.sampling.top_p) == (2**63 - 1, 0.9)
    assert wanted.sampling.stop == ("END",)
    assert wanted.streams
    assert wanted.includes_usage


def test_parts_of_text_are_one_text() -> None:
    parts = [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]
    assert chat(messages=[{"role": "user", "content": parts}]).messages[-1].content == "hello"


def test_a_conversation_with_tools_is_text_of_our_own() -> None:
    wanted = chat(
        tools=[WEATHER],
        messages=[
            *HELLO,
            {"role": "assistant", "content": None, "tool_calls": [CALL, CALL | {"id": "call_2"}]},
            {"role": "tool", "tool_call_id": "call_2", "content": "wet"},
            {"role": "tool", "tool_call_id": "call_1", "content": "dry"},
        ],
    )
    assert split_tools(wanted.messages[0].content)[1] == wanted.tools
    assert wanted.messages[-1].content == (
        "<tool_response>\ndry\n</tool_response>\n<tool_response>\nwet\n</tool_response>"
    )


def test_a_required_call_is_a_grammar_for_the_one_and_a_choice_for_the_other() -> None:
    sampling = chat(tools=[WEATHER], tool_choice="required").sampling
    assert sampling.tool == ANY_TOOL
    assert sampling.grammar.startswith("root ::=")
    named = chat(tools=[WEATHER], tool_choice={"type": "function", "function": {"name": "weather"}}).sampling
    assert named.tool == "weather"


def test_with_no_tool_chosen_none_is_there() -> None:
    wanted = chat(tools=[WEATHER], tool_choice="none")
    assert wanted.tools == ()
    assert wanted.messages[0].content == "Be brief."


def test_a_schema_is_told_and_forced() -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}}
    wanted = chat(response_format={"type": "json_schema", "json_schema": {"name": "person", "schema": schema}})
    assert wanted.sampling.schema == schema
    assert '"age"' in wanted.messages[0].content


def test_any_json_object_is_a_grammar() -> None:
    sampling = chat(response_format={"type": "json_object"}).sampling
    assert sampling.grammar.startswith("root ::= object")
    assert sampling.schema is None  # Claude's schemas know no free object


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "assistant", "content": "hi"}]}, "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "messages[0].content[0].type",
        ),
        ({"messages": [*HELLO, {"role": "tool", "tool_call_id": "x", "content": ""}]}, "messages[1].tool_call_id"),
        ({"messages": [*HELLO, {"role": "assistant", "tool_calls": [CALL]}, *HELLO]}, "messages[2]"),
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"top_p": 1.5}, "top_p"),
        ({"frequency_penalty": 1}, "frequency_penalty"),
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"top_k": 4}, "top_k"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [WEATHER, WEATHER]}, "tools"),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "x"}}},
            "tool_choice.function.name",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_by_its_name(fields: dict[str, Any], param: str) -> None:
    error = refused(**fields)
    assert (error.status, error.param) == (400, param)


def test_what_decides_nothing_is_let_in() -> None:
    assert chat(n=1, metadata={"a": "b"}, store=False, reasoning_effort="low", logit_bias={})


def test_a_prompt_is_a_question() -> None:
    wanted = openai_completions.wanted({"model": "shammah:local", "prompt": ["list files"], "max_tokens": 5}, DEFAULTS)
    assert [m.content for m in wanted.messages] == ["Be brief.", "list files"]
    assert wanted.sampling.max_tokens == 5


def test_several_prompts_are_refused() -> None:
    with pytest.raises(Refused) as caught:
        openai_completions.wanted({"model": "shammah", "prompt": ["a", "b"]}, DEFAULTS)
    assert caught.value.param == "prompt"
