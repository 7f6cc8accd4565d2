"""Shapes: what fits, and which fault is named where one does not."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from shammah.serve.document import SHAPES
from shammah.serve.shapes import KEYWORDS, Fault, find_fault
from shammah.serve.shaping import any_of, list_of, or_null, record, ref, whole, word

SHAPES_HERE = {"Cat": record({"type": word("cat"), "lives": whole(0, 9)}, ("type",))}
DOG = record({"type": word("dog"), "name": {"type": "string"}}, ("type", "name"))
PETS = record({"pets": list_of(any_of(ref("Cat"), DOG), 1), "note": or_null({"type": "string"})}, ("pets",))


def fault_of(value: object) -> Fault | None:
    return find_fault(value, PETS, SHAPES_HERE)


@pytest.mark.parametrize(
    "value",
    [
        {"pets": [{"type": "cat"}]},
        {"pets": [{"type": "cat", "lives": 9.0}, {"type": "dog", "name": ""}], "note": None},
    ],
)
def test_what_fits_has_no_fault(value: object) -> None:
    assert fault_of(value) is None


@pytest.mark.parametrize(
    ("value", "param", "says"),
    [
        ([], "", "is to be an object"),
        ({}, "pets", "is missing"),
        ({"pets": []}, "pets", "is to have 1 items at least"),
        ({"pets": [{"type": "cat", "lives": 10}]}, "pets[0].lives", "is to be 9 at most"),
        ({"pets": [{"type": "cat", "lives": True}]}, "pets[0].lives", "is to be a whole number"),
        ({"pets": [{"type": "cat", "lives": 1.5}]}, "pets[0].lives", "is to be a whole number"),
        ({"pets": [{"type": "dog"}]}, "pets[0].name", "is missing"),
        ({"pets": [{"type": "cow"}]}, "pets[0].type", "is 'cow'; here it is to be one of 'cat', 'dog'"),
        ({"pets": [{"lives": 1}]}, "pets[0].type", "is missing"),
        ({"pets": ["cat"]}, "pets[0]", "is to be an object"),
        ({"pets": [{"type": "cat"}], "note": 1}, "note", "is to be a text or null"),
        ({"pets": [{"type": "cat"}], "wings": 2}, "wings", "is not known here"),
    ],
)
def test_the_fault_is_named_by_its_place(value: object, param: str, says: str) -> None:
    fault = fault_of(value)
    assert fault is not None
    assert (fault.param, fault.says) == (param, says)


def test_every_keyword_of_the_document_is_checked() -> None:
    assert {keyword for shape in SHAPES.values() for keyword in keywords(shape)} <= KEYWORDS


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_every_shape_of_the_document_is_json_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(dict(SHAPES[name]))


def keywords(shape: Any) -> Iterator[str]:
    """The keywords of a shape and of all within it."""
    yield from shape
    inner = [*shape.get("properties", {}).values(), *shape.get("anyOf", ())]
    for one in [*inner, shape["items"]] if "items" in shape else inner:
        yield from keywords(one)
