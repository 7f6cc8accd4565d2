"""Tools as text: what is written is read again, wherever a stream is cut."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah.tool_text import Call, Splitter, Tool, came_of, read_came_of, read_said, said, split_tools, with_tools

WEATHER = Tool("weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})
ROME = Call("weather", {"city": "Rome"})
TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)


def test_definitions_stand_below_the_system_message_as_qwen_has_them() -> None:
    text = with_tools("Be brief.", [WEATHER])
    assert text.startswith("Be brief.\n\n# Tools\n\nYou may call one or more functions")
    line = text.partition("<tools>\n")[2].partition("\n</tools>")[0]
    assert json.loads(line) == {
        "type": "function",
        "function": {"name": "weather", "description": "The weather.", "parameters": WEATHER.parameters},
    }


@pytest.mark.parametrize("system", ["", "Be brief.", "Two\n\nparagraphs"])
def test_a_system_message_is_told_from_its_tools(system: str) -> None:
    assert split_tools(with_tools(system, [WEATHER, WEATHER])) == (system, (WEATHER, WEATHER))


def test_a_section_that_somebody_wrote_by_hand_stays_text() -> None:
    text = with_tools("Be brief.", [WEATHER]).replace('{"type"', "type")
    assert split_tools(text) == (text, ())


def test_a_call_is_written_as_qwen_writes_it() -> None:
    assert said("Let me see.", [ROME]) == (
        'Let me see.\n<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>'
    )


@given(st.lists(st.dictionaries(TEXTS, TEXTS | st.integers() | st.booleans(), max_size=3), max_size=3))
def test_calls_are_read_as_they_were_said(arguments: list[dict[str, object]]) -> None:
    calls = tuple(Call("weather", one) for one in arguments)
    assert read_said(said("Let me see.", calls)) == ("Let me see.", calls)


@given(st.lists(st.integers(0, 120), max_size=12))
def test_the_borders_of_chunks_change_nothing(cuts: list[int]) -> None:
    text = said("a < b, <tool", [ROME, Call("weather", {})])
    splitter, bounds = Splitter(), [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [p for a, b in pairwise(bounds) for p in splitter.feed(text[a:b])]
    pieces += splitter.finish()
    assert "".join(p for p in pieces if isinstance(p, str)) == "a < b, <tool"
    assert [p for p in pieces if isinstance(p, Call)] == [ROME, Call("weather", {})]


def test_text_flows_before_a_call_is_there() -> None:
    splitter = Splitter()
    assert list(splitter.feed("\n Let me see.\n<tool_call>\n{")) == ["Let me see."]


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call>\nno JSON\n</tool_call>",
        '<tool_call>\n{"name": "rain", "arguments": {}}\n</tool_call>',
        '<tool_call>\n{"name": "weather", "arguments": [1]}\n</tool_call>',
    ],
)
def test_what_is_no_call_of_a_known_tool_stays_text(text: str) -> None:
    assert read_said(text, {"weather"}) == (text, ())


def test_without_tools_everything_is_text() -> None:
    text = said("", [ROME])
    assert read_said(text, frozenset()) == (text, ())


def test_a_last_call_may_lack_its_closing_mark() -> None:
    assert read_said(said("", [ROME]).removesuffix("\n</tool_call>"), {"weather"}) == ("", (ROME,))


def test_arguments_that_were_quoted_once_too_often_are_read() -> None:
    assert read_said('<tool_call>{"name": "weather", "arguments": "{\\"city\\": \\"Rome\\"}"}</tool_call>')[1] == (
        ROME,
    )


@given(st.lists(TEXTS.filter(lambda t: "</tool_response>" not in t), min_size=1, max_size=3))
def test_results_are_read_as_they_came(results: list[str]) -> None:
    assert read_came_of(came_of(results, "And now?")) == (tuple(results), "And now?")
