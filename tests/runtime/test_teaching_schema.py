"""Records as JSON schemas, and what strangers send read by them."""

from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shammah.teaching import doors, schema
from shammah.teaching.requests import GenerateTrainingData, GivenPair, QueryLocalModel, Train
from shammah.teaching.schema import BadArgument

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@pytest.mark.parametrize("tool", doors.TOOLS, ids=lambda tool: str(tool.name))
def test_every_schema_is_one_and_describes_each_argument(tool: doors.Tool) -> None:
    for found in (tool.input_schema, tool.output_schema):
        jsonschema.Draft202012Validator.check_schema(found)
        assert all(one["description"] for one in found["properties"].values())
    assert tool.description


def test_arguments_become_the_record() -> None:
    found = schema.read(
        GenerateTrainingData, {"category": "code", "count": 3.0, "pairs": [{"question": "q", "answer": "a"}]}
    )
    assert found == GenerateTrainingData("code", 3, pairs=(GivenPair("q", "a"),))


def test_a_flag_is_true_or_false() -> None:
    assert schema.read(Train, {"wait": False}) == Train(wait=False)
    with pytest.raises(BadArgument, match="wait is 0, not of type boolean"):
        schema.read(Train, {"wait": 0})


@pytest.mark.parametrize(
    ("record", "given_", "said"),
    [
        (QueryLocalModel, {}, "question is missing"),
        (QueryLocalModel, {"question": ""}, "question is out of its limits"),
        (QueryLocalModel, {"question": 5}, "question is 5, not of type string"),
        (QueryLocalModel, {"question": "q", "max_tokens": True}, "max_tokens is True, not of type integer"),
        (QueryLocalModel, {"question": "q", "max_token": 5}, "there is no argument max_token"),
        (QueryLocalModel, {"question": "q", "max_tokens": 0}, "max_tokens is out of its limits"),
        (GenerateTrainingData, {"category": "cod"}, "category is 'cod'"),
        (GenerateTrainingData, {"category": "code", "pairs": "x"}, "pairs is no list"),
        (GenerateTrainingData, {"category": "code", "pairs": [{"question": "q"}]}, r"pairs\[0\].answer is missing"),
        (GenerateTrainingData, {"category": "code", "pairs": [{"question": "q", "answer": "a"}] * 51}, "51 items"),
        (Train, [], "no object"),
    ],
)
def test_what_is_wrong_is_named(record: type, given_: Any, said: str) -> None:
    with pytest.raises(BadArgument, match=said):
        schema.read(record, given_)


def test_a_wrong_word_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(BadArgument) as error:
        schema.read(GenerateTrainingData, {"category": "cod"})
    assert "Did you mean code?" in error.value.hint


some_arguments = st.dictionaries(st.sampled_from(["question", "count", "category", "wait", "x"]), json_values)


@settings(suppress_health_check=[HealthCheck.too_slow])  # of a machine that is busy
@given(st.sampled_from(doors.TOOLS), some_arguments)
def test_what_is_taken_fits_the_schema_and_the_rest_is_refused(tool: doors.Tool, arguments: dict[str, Any]) -> None:
    try:
        schema.read(tool.request, arguments)
    except BadArgument:
        return
    jsonschema.validate(arguments, tool.input_schema)
