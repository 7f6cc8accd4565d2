"""Words for writing shapes down: what `shapes` checks, and what the served document shows."""

from typing import Any

from shammah.serve.shapes import REFERENCE

Drawn = dict[str, Any]

ANYTHING: Drawn = {}
TEXT: Drawn = {"type": "string"}
SAID: Drawn = {"type": "string", "minLength": 1}
FLAG: Drawn = {"type": "boolean"}
NUMBER: Drawn = {"type": "number"}
COUNT: Drawn = {"type": "integer", "minimum": 0}
FREE: Drawn = {"type": "object"}
NULL: Drawn = {"type": "null"}


def record(properties: Drawn, required: tuple[str, ...] = (), is_closed: bool = True) -> Drawn:
    """An object with these fields; a closed one has no others."""
    drawn: Drawn = {"type": "object", "properties": properties}
    if required:
        drawn["required"] = list(required)
    return drawn | ({"additionalProperties": False} if is_closed else {})


def reply(properties: Drawn, optional: tuple[str, ...] = ()) -> Drawn:
    """An object that we send: all its fields are there but the optional ones."""
    return record(properties, tuple(name for name in properties if name not in optional), is_closed=False)


def list_of(items: Drawn, least: int = 0, most: int | None = None) -> Drawn:
    """A list."""
    drawn: Drawn = {"type": "array", "items": items}
    return drawn | ({"minItems": least} if least else {}) | ({"maxItems": most} if most is not None else {})


def word(*words: str) -> Drawn:
    """One of these words."""
    return {"type": "string", "enum": list(words)}


def number(low: float, high: float) -> Drawn:
    """A number between two."""
    return {"type": "number", "minimum": low, "maximum": high}


def whole(low: int, high: int) -> Drawn:
    """A whole number between two."""
    return {"type": "integer", "minimum": low, "maximum": high}


def any_of(*shapes: Drawn) -> Drawn:
    """One of several."""
    return {"anyOf": list(shapes)}


def or_null(shape: Drawn) -> Drawn:
    """The same, or null, which says as much as leaving the field out."""
    if "anyOf" in shape:
        return {"anyOf": [*shape["anyOf"], NULL]}
    if "enum" in shape:
        return {"type": [shape["type"], "null"], "enum": [*shape["enum"], None]}
    if isinstance(shape.get("type"), str) and "properties" not in shape:
        return shape | {"type": [shape["type"], "null"]}
    return {"anyOf": [shape, NULL]}


def ref(name: str) -> Drawn:
    """A shape of the document, by its name."""
    return {"$ref": REFERENCE + name}


def told(shape: Drawn, description: str) -> Drawn:
    """A shape with a sentence for the reader."""
    return shape | {"description": description}
