"""Grammars of calls, as llama.cpp obeys them: whatever the built-in model draws is a call with such arguments."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from shammah import bases
from shammah.generation import Sampling, collect
from shammah.local import LocalModel
from shammah.serve import grammars
from shammah.tool_text import Tool, read_said, said
from shammah_convert.chat import Message

QUESTION = [Message("user", "how do i list files")]
ODD = 'a "quoted"\nline \\ of é'


def closed(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


SCHEMAS = [
    {"type": "object", "properties": {}},
    closed("odd", odd={"enum": [ODD, 7, None]}),
    closed(**{ODD: {"const": 1}, "flag": {"type": "boolean"}, "none": {"type": "null"}}),
    closed("b", a={"type": "boolean"}, b={"type": ["boolean", "null"]}, c={"type": "boolean"}),
    closed("list", list={"type": "array", "items": closed("on", on={"type": "boolean"}), "maxItems": 99}),
    closed("either", either={"anyOf": [{"type": "boolean"}, closed("x", x={"const": "y"})]}),
]


@pytest.fixture(scope="module")
def model() -> Iterator[LocalModel]:
    with LocalModel(bases.SEEDLING) as model:
        yield model


@pytest.mark.parametrize("place", range(len(SCHEMAS)))
def test_what_is_drawn_is_a_call_of_the_schema(model: LocalModel, place: int) -> None:
    tool = Tool("tool", "", SCHEMAS[place])
    for seed in range(2):
        sampling = Sampling(400, 1.0, seed, grammar=grammars.of_call([tool]))
        text, (call,) = read_said(collect(model.stream(QUESTION, sampling)).text, {"tool"})
        assert (text, call.name) == ("", "tool")
        jsonschema.validate(dict(call.arguments), SCHEMAS[place])


def test_a_call_stands_as_qwen_would_write_it(model: LocalModel) -> None:
    tool = Tool("tool", "", closed("a", "b", a={"const": "é"}, b={"enum": [[1, 2]]}))
    text = collect(model.stream(QUESTION, Sampling(100, grammar=grammars.of_call([tool])))).text
    assert text == said("", read_said(text)[1])


def test_one_of_several_tools_is_called(model: LocalModel) -> None:
    tools = [Tool(name, "", closed("on", on={"type": "boolean"})) for name in ("light", "heat")]
    sampling = [Sampling(60, 2.0, seed, grammar=grammars.of_call(tools)) for seed in range(8)]
    called = {read_said(collect(model.stream(QUESTION, one)).text)[1][0].name for one in sampling}
    assert called == {"light", "heat"}


@pytest.mark.parametrize("schema", [{"$ref": "#/$defs/far"}, True, {"type": "unheard of"}])
def test_what_is_not_understood_of_a_schema_lets_any_value_through(schema: Any) -> None:
    assert '"\\"far\\": " value' in grammars.of_call([Tool("tool", "", closed("far", far=schema))])


def test_no_schema_makes_a_grammar_without_measure() -> None:
    schema: Any = {"type": "boolean"}
    for _ in range(500):
        schema = closed(**{f"field{number}": {"type": "array", "items": schema} for number in range(5)})
        schema = {"anyOf": [schema, {"type": "null"}]}
    wide = closed(**{f"field{number}": {"type": "boolean"} for number in range(1000)})
    assert all(len(grammars.of_call([Tool("tool", "", one)])) < 100_000 for one in (schema, wide))


def test_any_object_is_an_object(model: LocalModel) -> None:
    done = collect(model.stream(QUESTION, Sampling(300, 0.0, grammar=grammars.of_object())))
    assert done.text.startswith("{")
    if done.end.finish == "stop":
        assert isinstance(json.loads(done.text), dict)
