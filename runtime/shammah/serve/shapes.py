"""Does a JSON value have the shape that the API's own document gives? The first fault is named by its place.

The keywords of JSON Schema that this API's document uses, and no others; a test holds that.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Shape = Mapping[str, Any]
Shapes = Mapping[str, Shape]

REFERENCE = "#/components/schemas/"
ANNOTATIONS = frozenset({"description", "title", "default", "examples", "format", "deprecated"})
NAMES = {
    "object": "an object",
    "array": "a list",
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}
# By these a branch of several is picked, so that the fault named is that of the one which was meant.
TAGS = ("type", "role")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where.

    Attributes:
        param: A path as the APIs write it: `messages[0].content`; empty for the whole.
        says: A predicate: "is to be a text".
    """

    param: str
    says: str
    is_unknown: bool = False


def find_fault(value: object, shape: Shape, shapes: Shapes, param: str = "") -> Fault | None:
    """The first fault of a value; None where it has the shape."""
    return next(_faults(value, shape, shapes, param), None)


def _faults(value: object, shape: Shape, shapes: Shapes, param: str) -> Iterator[Fault]:
    if "$ref" in shape:
        yield from _faults(value, shapes[shape["$ref"].removeprefix(REFERENCE)], shapes, param)
        return
    if "anyOf" in shape:
        yield from _of_branches(value, shape["anyOf"], shapes, param)
        return
    kinds = _kinds(shape)
    if kinds and not any(_is_of(value, kind) for kind in kinds):
        yield Fault(param, f"is to be {' or '.join(NAMES[kind] for kind in kinds)}")
        return
    yield from (Fault(param, says) for says in _of_value(value, shape))
    if isinstance(value, Mapping):
        yield from _of_object(value, shape, shapes, param)
    if isinstance(value, list) and "items" in shape:
        for place, item in enumerate(value):
            yield from _faults(item, shape["items"], shapes, f"{param}[{place}]")


def _kinds(shape: Shape) -> Sequence[str]:
    kinds = shape.get("type", ())
    return (kinds,) if isinstance(kinds, str) else kinds


def _is_of(value: object, kind: str) -> bool:
    match kind:
        case "object":
            return isinstance(value, Mapping)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "integer":  # 1.0 is one, as JSON Schema has it
            return _is_number(value) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
        case _:
            return _is_number(value)


def _is_number(value: object) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, float) and math.isfinite(value)
    )


def _of_value(value: object, shape: Shape) -> Iterator[str]:
    if "const" in shape and not _same(value, shape["const"]):
        yield f"is to be {shape['const']!r}"
    if "enum" in shape and not any(_same(value, one) for one in shape["enum"]):
        yield f"is to be one of {', '.join(repr(one) for one in shape['enum'])}"
    for keyword, says, breaks in _BOUNDS:
        if keyword in shape and breaks(value, shape[keyword]):
            yield says.format(shape[keyword])


def _same(value: object, wanted: object) -> bool:
    return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)


def _bound(kind: type | tuple[type, ...], breaks: Callable[[Any, Any], bool]) -> Callable[[object, Any], bool]:
    return lambda value, bound: isinstance(value, kind) and not isinstance(value, bool) and breaks(value, bound)


_BOUNDS: tuple[tuple[str, str, Callable[[object, Any], bool]], ...] = (
    ("minimum", "is to be {} at least", _bound((int, float), lambda value, bound: value < bound)),
    ("maximum", "is to be {} at most", _bound((int, float), lambda value, bound: value > bound)),
    ("minLength", "is to have {} characters at least", _bound(str, lambda value, bound: len(value) < bound)),
    ("maxLength", "is to have {} characters at most", _bound(str, lambda value, bound: len(value) > bound)),
    ("minItems", "is to have {} items at least", _bound(list, lambda value, bound: len(value) < bound)),
    ("maxItems", "is to have {} items at most", _bound(list, lambda value, bound: len(value) > bound)),
)
KEYWORDS = ANNOTATIONS | {keyword for keyword, _, _ in _BOUNDS} | {
    "$ref", "anyOf", "type", "const", "enum", "properties", "required", "additionalProperties", "items",
}  # fmt: skip


def _of_object(value: Mapping[str, object], shape: Shape, shapes: Shapes, param: str) -> Iterator[Fault]:
    properties = shape.get("properties", {})
    for tag in TAGS:  # what is of another kind has other fields, too
        if tag in value and tag in properties:
            yield from _faults(value[tag], properties[tag], shapes, _inner(param, tag))
    for name in shape.get("required", ()):
        if name not in value:
            yield Fault(_inner(param, name), "is missing")
    for name, item in value.items():
        if name in properties:
            yield from _faults(item, properties[name], shapes, _inner(param, name))
        elif shape.get("additionalProperties", True) is False:
            yield Fault(_inner(param, name), "is not known here", is_unknown=True)


def _inner(param: str, name: str) -> str:
    return f"{param}.{name}" if param else name


def _of_branches(value: object, branches: Sequence[Shape], shapes: Shapes, param: str) -> Iterator[Fault]:
    """The fault of the branch that was meant, where none fits."""
    resolved = [_resolved(branch, shapes) for branch in branches]
    if any(find_fault(value, branch, shapes, param) is None for branch in resolved):
        return
    of_kind = [branch for branch in resolved if any(_is_of(value, kind) for kind in _kinds(branch))]
    if not of_kind:
        names = [NAMES[kind] for branch in resolved for kind in _kinds(branch)]
        yield Fault(param, f"is to be {' or '.join(dict.fromkeys(names))}")
        return
    tag = next((tag for tag in TAGS if all(tag in branch.get("properties", {}) for branch in of_kind)), None)
    if tag is None or not isinstance(value, Mapping):
        yield from _faults(value, of_kind[0], shapes, param)
        return
    if tag not in value:
        yield Fault(_inner(param, tag), "is missing")
        return
    tagged = [b for b in of_kind if find_fault(value[tag], b["properties"][tag], shapes) is None]
    if tagged:
        yield from _faults(value, tagged[0], shapes, param)
    else:
        known = [repr(one) for branch in of_kind for one in _words(branch["properties"][tag])]
        yield Fault(_inner(param, tag), f"is {value[tag]!r}; here it is to be one of {', '.join(known)}")


def _resolved(shape: Shape, shapes: Shapes) -> Shape:
    while "$ref" in shape:
        shape = shapes[shape["$ref"].removeprefix(REFERENCE)]
    return shape


def _words(shape: Shape) -> Sequence[object]:
    words: Sequence[object] = shape.get("enum", (shape.get("const"),))
    return words
