"""A conversation as OpenAI's API takes it."""

import json

import pytest

from shammah.compatible.bodies import is_strict, plain, with_tools
from shammah.generation import ANY_TOOL, Exchange, Sampling, Toolbox, ToolCall
from shammah.tool_text import Call, Tool, came_of, said
from shammah.tool_text import with_tools as system_with
from shammah_convert.chat import Message

WEATHER = Tool("weather", "The weather.", {"properties": {"city": {"type": "string"}}})
SYSTEM = Message("system", system_with("Be brief.", [WEATHER]))
QUESTION = Message("user", "Is it dry in Rome and Oslo?")
ASKED = Message("assistant", said("I look.", [Call("weather", {"city": "Rome"}), Call("weather", {"city": "Oslo"})]))
CAME = Message("user", came_of(["dry", "wet"], "And warm?"))


def test_a_local_model_reads_tools_in_the_text_as_it_learnt_them() -> None:
    body = plain("qwen", [SYSTEM, QUESTION, ASKED, CAME], Sampling(7, temperature=0.5, seed=3, stop=("END",)))
    assert [turn["content"] for turn in body["messages"]] == [m.content for m in (SYSTEM, QUESTION, ASKED, CAME)]
    assert (body["max_tokens"], body["temperature"], body["seed"], body["stop"]) == (7, 0.5, 3, ["END"])
    assert "tools" not in body


def test_the_teacher_gets_tools_calls_and_results_as_what_they_are() -> None:
    body = with_tools("gpt", [SYSTEM, QUESTION, ASKED, CAME], Sampling())
    roles = [turn["role"] for turn in body["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "tool", "user"]
    assert body["messages"][0]["content"] == "Be brief."
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    assert [tool["function"]["parameters"] for tool in body["tools"]] == [schema]
    calls = body["messages"][2]["tool_calls"]
    assert [json.loads(call["function"]["arguments"])["city"] for call in calls] == ["Rome", "Oslo"]
    results = [(turn["tool_call_id"], turn["content"]) for turn in body["messages"][3:5]]
    assert results == [(calls[0]["id"], "dry"), (calls[1]["id"], "wet")]


def test_a_call_without_a_result_stays_text() -> None:
    turns = with_tools("gpt", [SYSTEM, QUESTION, ASKED, Message("user", "Never mind.")], Sampling())["messages"]
    assert turns[2] == {"role": "assistant", "content": ASKED.content}


def test_a_result_that_somebody_typed_stays_text() -> None:
    typed = Message("user", came_of(["rain"]))
    assert with_tools("gpt", [typed], Sampling())["messages"] == [{"role": "user", "content": typed.content}]


@pytest.mark.parametrize(
    ("tool", "choice"),
    [
        ("", "auto"),
        (ANY_TOOL, "required"),
        ("weather", {"type": "function", "function": {"name": "weather"}}),
    ],
)
def test_a_tool_that_is_to_be_called_is_chosen(tool: str, choice: object) -> None:
    assert with_tools("gpt", [SYSTEM, QUESTION], Sampling(tool=tool))["tool_choice"] == choice


def test_what_was_done_with_a_toolbox_follows_the_conversation() -> None:
    call = ToolCall("call_7", "weather", '{"city": "Rome"}')
    offered = {"name": "weather", "description": "The weather.", "input_schema": {"type": "object"}}
    body = with_tools("gpt", [QUESTION], Sampling(toolbox=Toolbox((offered,), (Exchange("", (call,), ("dry",)),))))
    _, asked, came = body["messages"]
    assert asked["tool_calls"][0]["id"] == came["tool_call_id"] == "call_7"
    assert came["content"] == "dry"
    assert body["tools"][0]["function"]["name"] == "weather"


CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLOSED, True),
        (CLOSED | {"required": []}, False),
        ({name: CLOSED[name] for name in ("type", "properties", "required")}, False),
        (CLOSED | {"properties": {"a": {"type": "array", "items": {"properties": {"b": {}}}}}}, False),
    ],
)
def test_a_schema_is_asked_for_strictly_where_the_api_takes_it_so(schema: dict[str, object], strict: bool) -> None:
    assert is_strict(schema) is strict
    wanted = with_tools("gpt", [QUESTION], Sampling(schema=schema))["response_format"]["json_schema"]
    assert (wanted["schema"], wanted["strict"]) == (schema, strict)
