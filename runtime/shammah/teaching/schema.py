"""Frozen records as JSON: what they look like, read from strangers, and written.

One description serves Claude's tools, MCP and HTTP alike.
"""

import difflib
import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, field, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from shammah.errors import UsageError

Record = TypeVar("Record")
_NAMES: Mapping[object, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}
_LIMITS = ("minimum", "maximum", "minLength", "maxLength", "maxItems")


class BadArgument(UsageError):
    """An argument of a tool is missing, unknown or wrong."""

    hint = "Look at the tool's input schema."


def about(description: str, default: Any = MISSING, **limits: int) -> Any:
    """A field of a record that is shown to others: what it is, and within which limits."""
    return field(default=default, metadata={"description": description} | limits)


@cache
def schema_of(record: type) -> dict[str, Any]:
    """The JSON schema of a record."""
    hints = get_type_hints(record)
    return {
        "type": "object",
        "properties": {one.name: _schema(hints[one.name]) | _facts(one) for one in _fields(record)},
        "required": [one.name for one in _fields(record) if one.default is MISSING],
        "additionalProperties": False,
    }


def read(record: type[Record], arguments: Mapping[str, Any]) -> Record:
    """A record from JSON that a stranger sent.

    Raises:
        BadArgument: Something is missing, unknown or wrong; the text names it.
    """
    return _read_record(record, arguments, "")


def as_object(value: Any) -> Any:
    """A record as JSON has it."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: as_object(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple):
        return [as_object(item) for item in value]
    return value


def nearest(name: str, known: Iterator[str] | tuple[str, ...]) -> str:
    """A hint that names what a wrong name is most like, and all there are."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"{f'Did you mean {close[0]}? ' if close else ''}There are: {', '.join(names)}."


def _fields(record: type) -> tuple["Field[Any]", ...]:
    return fields(cast("Any", record))


def _facts(one: "Field[Any]") -> dict[str, Any]:
    default = {} if one.default in (MISSING, None, ()) else {"default": as_object(one.default)}
    return dict(one.metadata) | default


def _schema(kind: Any) -> dict[str, Any]:
    if kind in _NAMES:
        return {"type": _NAMES[kind]}
    if is_dataclass(kind):
        return schema_of(cast("type", kind))
    arguments = get_args(kind)
    match get_origin(kind):
        case origin if origin is Literal:
            return {"type": "string", "enum": list(arguments)}
        case origin if origin is tuple:
            return {"type": "array", "items": _schema(arguments[0])}
        case origin if origin in (Union, types.UnionType):
            known = [_schema(one) for one in arguments if one is not types.NoneType]
            return {"anyOf": [*known, {"type": "null"}]}
    raise TypeError(f"no schema for {kind!r}")


def _read_record(record: type[Record], arguments: Any, place: str) -> Record:
    if not isinstance(arguments, Mapping):
        raise BadArgument(f"{place or 'what was given'} is no object")
    known = tuple(one.name for one in _fields(record))
    for name in arguments:
        if name not in known:
            raise BadArgument(f"there is no argument {place}{name}", hint=nearest(str(name), known))
    hints, values = get_type_hints(record), dict[str, Any]()
    for one in _fields(record):
        if one.name in arguments:
            values[one.name] = _read(hints[one.name], arguments[one.name], f"{place}{one.name}", one.metadata)
        elif one.default is MISSING:
            raise BadArgument(f"{place}{one.name} is missing", hint=str(one.metadata["description"]))
    return record(**values)


def _read(kind: Any, value: Any, place: str, limits: Mapping[str, Any]) -> Any:
    """A value of a kind.

    Raises:
        BadArgument: It is none, or outside its limits.
    """
    if get_origin(kind) in (Union, types.UnionType):
        if value is None:
            return None
        kind = next(one for one in get_args(kind) if one is not types.NoneType)
    if is_dataclass(kind):
        return _read_record(cast("type", kind), value, f"{place}.")
    if get_origin(kind) is Literal:
        return _word(get_args(kind), value, place)
    if get_origin(kind) is tuple:
        return _list(get_args(kind)[0], value, place, limits)
    return _plain(kind, value, place, limits)


def _word(known: tuple[str, ...], value: Any, place: str) -> str:
    if value not in known:
        raise BadArgument(f"{place} is {value!r}", hint=nearest(str(value), known))
    return str(value)


def _list(kind: Any, value: Any, place: str, limits: Mapping[str, Any]) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise BadArgument(f"{place} is no list")
    if len(value) > limits.get("maxItems", len(value)):
        raise BadArgument(f"{place} has {len(value)} items", hint=f"It takes {limits['maxItems']} at most.")
    return tuple(_read(kind, item, f"{place}[{index}]", {}) for index, item in enumerate(value))


def _plain(kind: Any, value: Any, place: str, limits: Mapping[str, Any]) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int and isinstance(value, float) and value.is_integer():  # JSON of some clients has 5.0
        value = int(value)
    if type(value) is not kind:
        raise BadArgument(f"{place} is {value!r}, not of type {_NAMES[kind]}")
    if kind is bool:
        return value
    size, least, most = (value, "minimum", "maximum") if is_number else (len(value), "minLength", "maxLength")
    if not limits.get(least, size) <= size <= limits.get(most, size):
        what = {name: limits[name] for name in _LIMITS if name in limits}
        raise BadArgument(f"{place} is out of its limits", hint=f"They are {what}.")
    # No half surrogates, no NUL: text that every part can store.
    return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd") if kind is str else value
