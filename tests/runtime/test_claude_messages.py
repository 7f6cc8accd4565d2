"""A conversation with tools, as Claude's API takes it."""

from shammah.claude_messages import request_of
from shammah.generation import ANY_TOOL, Sampling
from shammah.tool_text import Call, Tool, came_of, said, with_tools
from shammah_convert.chat import Message

WEATHER = Tool("weather", "The weather.", {"properties": {"city": {"type": "string"}}})
SYSTEM = Message("system", with_tools("Be brief.", [WEATHER]))
QUESTION = Message("user", "Is it dry in Rome and Oslo?")
ASKED = Message("assistant", said("I look.", [Call("weather", {"city": "Rome"}), Call("weather", {"city": "Oslo"})]))
CAME = Message("user", came_of(["dry", "wet"], "And warm?"))


def test_a_plain_conversation_stays_text() -> None:
    request = request_of([Message("system", "Be brief."), QUESTION], Sampling(7))
    assert request == {
        "max_tokens": 7,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Is it dry in Rome and Oslo?"}],
    }


def test_tools_leave_the_system_message() -> None:
    request = request_of([SYSTEM, QUESTION], Sampling())
    assert request["system"] == "Be brief."
    assert request["tool_choice"] == {"type": "auto"}
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    assert request["tools"] == [{"name": "weather", "description": "The weather.", "input_schema": schema}]


def test_each_call_finds_its_result() -> None:
    _, asked, came = request_of([SYSTEM, QUESTION, ASKED, CAME], Sampling())["messages"]
    assert [block["type"] for block in asked["content"]] == ["text", "tool_use", "tool_use"]
    assert [block["input"]["city"] for block in asked["content"][1:]] == ["Rome", "Oslo"]
    ids = [block["id"] for block in asked["content"][1:]]
    assert [(b["tool_use_id"], b["content"]) for b in came["content"][:2]] == list(
        zip(ids, ["dry", "wet"], strict=True)
    )
    assert came["content"][2] == {"type": "text", "text": "And warm?"}


def test_ids_are_never_given_twice() -> None:
    turns = request_of([SYSTEM, QUESTION, ASKED, CAME, ASKED, CAME], Sampling())["messages"]
    ids = [block["id"] for turn in turns if turn["role"] == "assistant" for block in turn["content"][1:]]
    assert len(set(ids)) == 4


def test_a_call_without_a_result_stays_text() -> None:
    user = Message("user", "Never mind.")
    turns = request_of([SYSTEM, QUESTION, ASKED, user], Sampling())["messages"]
    assert [turn["content"] for turn in turns] == [QUESTION.content, ASKED.content, user.content]


def test_a_result_that_somebody_typed_stays_text() -> None:
    typed = Message("user", came_of(["rain"]))
    assert request_of([SYSTEM, typed], Sampling())["messages"] == [{"role": "user", "content": typed.content}]


def test_a_tool_that_is_to_be_called_is_chosen() -> None:
    assert request_of([SYSTEM, QUESTION], Sampling(tool=ANY_TOOL))["tool_choice"] == {"type": "any"}
    named = request_of([SYSTEM, QUESTION], Sampling(tool="weather"))["tool_choice"]
    assert named == {"type": "tool", "name": "weather"}


def test_stop_sequences_and_a_schema_go_along() -> None:
    request = request_of([QUESTION], Sampling(stop=("END",), schema={"type": "object"}))
    assert request["stop_sequences"] == ["END"]
    assert request["output_config"] == {"format": {"type": "json_schema", "schema": {"type": "object"}}}
