"""Examples are lines that other trainers read, and a broken line says where and why."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shammah_convert import examples
from shammah_convert.chat import Message
from shammah_convert.examples import BadExample, Example

EXAMPLE = Example(
    id="abc",
    prompt=(Message("system", "Be short."), Message("user", "Why?")),
    completion=(Message("assistant", "Because."),),
    rejected=(Message("assistant", "No idea."),),
    weight=10.0,
    source="user",
    created="2026-11-20T12:00:00Z",
)
# The line that the design shows, in TRL's conversational prompt-completion format.
LINE = (
    '{"id": "abc", "prompt": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Why?"}],'
    ' "completion": [{"role": "assistant", "content": "Because."}],'
    ' "rejected": [{"role": "assistant", "content": "No idea."}],'
    ' "weight": 10.0, "source": "user", "created": "2026-11-20T12:00:00Z"}'
)
# Line separators of Unicode are no line breaks of JSONL.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    ["\u2028", "\x85", "\r\n", "a\nb"]
)


def line(**changes: Any) -> str:
    return json.dumps(json.loads(LINE) | changes)


def test_an_example_is_written_as_the_design_shows() -> None:
    assert examples.to_json(EXAMPLE) == LINE


def test_the_designs_line_is_read_as_an_example() -> None:
    assert examples.from_json(LINE) == EXAMPLE


@pytest.mark.parametrize("rejected", ["null", "absent"])
def test_an_example_needs_no_rejected_answer(rejected: str) -> None:
    row = json.loads(LINE) | {"rejected": None}
    if rejected == "absent":
        del row["rejected"]
    assert examples.from_json(json.dumps(row)).rejected is None


@settings(deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT, st.floats(1e-6, 1e6)), max_size=4))
def test_what_is_written_is_read_again(rows: list[tuple[str, str, float]]) -> None:
    written = [
        Example(str(n), (Message("user", ask),), (Message("assistant", say),), None, weight, "teacher", "now")
        for n, (ask, say, weight) in enumerate(rows)
    ]
    assert list(examples.read(examples.write(written))) == written


def test_blank_lines_are_skipped() -> None:
    assert list(examples.read(f"\n{LINE}\n  \n{LINE}")) == [EXAMPLE, EXAMPLE]


BROKEN = {
    "no JSON": "{",
    "no object": "[1]",
    "a number": "1",
    "deeply nested": "[" * 100_000,
    "no weight": json.dumps({k: v for k, v in json.loads(LINE).items() if k != "weight"}),
    "weight 0": line(weight=0),
    "negative weight": line(weight=-1),
    "no number": line(weight="much"),
    "NaN": line(weight=float("nan")),
    "infinite": line(weight=float("inf")),
    "more than a float holds": line(weight=10**400),
    "unknown source": line(source="elsewhere"),
    "empty prompt": line(prompt=[]),
    "empty completion": line(completion=[]),
    "a user's completion": line(completion=[{"role": "user", "content": "x"}]),
    "two completions": line(completion=[{"role": "assistant", "content": "x"}] * 2),
    "unknown role": line(prompt=[{"role": "tool", "content": "x"}]),
    "null content": line(completion=[{"role": "assistant", "content": None}]),
    "no content": line(prompt=[{"role": "user"}]),
    "no messages": line(prompt="Why?"),
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=list(BROKEN))
def test_a_broken_line_is_refused(text: str) -> None:
    with pytest.raises(BadExample):
        examples.from_json(text)


def test_a_broken_line_is_named_by_its_number() -> None:
    with pytest.raises(BadExample, match="line 3"):
        list(examples.read(f"{LINE}\n\n{{\n{LINE}"))
