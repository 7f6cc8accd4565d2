"""A setting's value: read as the type that it is to have, and said in words."""

from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from shammah.amounts import Memory
from shammah.errors import ConfigError
from shammah.patterns import Patterns

_BOOLEANS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}
_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Memory: 'an amount of memory, such as "3GB", "2500MB" or "3GiB"',
    Patterns: 'a list of regular expressions, such as ["acme", "project [xyz]"]',
}


def convert(value: Any, wanted: Any, origin: str) -> Any:
    """The value as the wanted type; text from the environment is read as that type.

    Raises:
        ConfigError: It cannot be; the text begins with its origin.
    """
    for kind in get_args(wanted) if _is_union(wanted) else (wanted,):
        try:
            return Patterns.read(value, origin) if kind is Patterns else _convert_one(value, kind)
        except (ValueError, TypeError, KeyError, OverflowError):
            continue
    raise ConfigError(f"{origin} is {value!r}", hint=f"It takes {in_words(wanted)}.")


def in_words(wanted: Any) -> str:
    """What a type takes, for a person."""
    if _is_union(wanted):
        return " or ".join(map(in_words, get_args(wanted)))
    if get_origin(wanted) is Literal:
        return " or ".join(f'"{value}"' for value in get_args(wanted))
    return _WORDS[wanted]


def choices(wanted: Any) -> list[str]:
    """The words that a type takes, as far as they can be counted."""
    if _is_union(wanted):
        return [choice for kind in get_args(wanted) for choice in choices(kind)]
    if get_origin(wanted) is Literal:
        return [str(value) for value in get_args(wanted)]
    return ["true", "false"] if wanted is bool else []


def _convert_one(value: Any, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        return get_args(kind)[get_args(kind).index(value)]
    if kind is Memory:
        return Memory.read(str(value))
    if kind is bool and isinstance(value, str):
        return _BOOLEANS[value.lower()]
    if isinstance(value, bool) is not (kind is bool) or (kind is str and not isinstance(value, str)):
        raise TypeError
    if kind is int and isinstance(value, float):
        raise TypeError
    return kind(value)


def _is_union(wanted: Any) -> bool:
    # With a Literal in it, `|` makes a typing.Union before Python 3.14.
    return get_origin(wanted) in (Union, UnionType)
