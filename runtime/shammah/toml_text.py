"""One key of a TOML text, changed or taken out: all else, comments and order with it, stays as it was typed.

Nothing here knows TOML's grammar of keys and values: tomllib reads each piece, and says where one ends.
"""

import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shammah.errors import ConfigError

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its value, or a section's heading, as it stands in a text.

    Attributes:
        path: The section's names, then the key's own.
        start: Where its line begins.
        value: From where to where its value reaches; empty, at the line's end, for a heading.
        end: Where the next line begins.
    """

    path: Names
    is_heading: bool
    start: int
    value: tuple[int, int]
    end: int


def set_key(text: str, path: Names, value: object) -> str:
    """The text with a key's value, in its place or at the end of its section.

    Raises:
        ConfigError: The text is no TOML, or its way of writing cannot be kept.
    """
    entries = list(read(text))
    return _checked(text, _with_key(text, entries, path, value), path, value)


def drop_key(text: str, path: Names) -> str:
    """The text without a key; as it was where it has none.

    Raises:
        ConfigError: The text is no TOML, or the key is a part of what cannot be cut.
    """
    entries = [entry for entry in read(text) if not entry.is_heading and entry.path == path]
    for entry in reversed(entries):
        text = text[: entry.start] + text[entry.end :]
    if _at(_parsed(text), path) is not None:
        raise _too_terse(path)
    return text


def read(text: str) -> Iterator[Entry]:
    """Every key and heading of a text, in order.

    Raises:
        ConfigError: It is no TOML.
    """
    _parsed(text)
    place, section = 0, Names()
    while place < len(text):
        entry = _entry(text, place, section)
        if entry is None:
            place = _line_end(text, place)
            continue
        section = entry.path if entry.is_heading else section
        yield entry
        place = entry.end


def literal(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_bare(key)} = {literal(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def _with_key(text: str, entries: Sequence[Entry], path: Names, value: object) -> str:
    for entry in entries:
        if not entry.is_heading and path[: len(entry.path)] == entry.path:
            start, end = entry.value
            inner = path[len(entry.path) :]
            given = _within(tomllib.loads(f"x = {text[start:end]}")["x"], inner, value)
            return text[:start] + literal(given) + text[end:]
    newline = "\r\n" if "\r\n" in text else "\n"
    line = f"{_bare(path[-1])} = {literal(value)}{newline}"
    place = _end_of_section(text, entries, path[:-1])
    if place is None:
        gap = newline if text.strip() else ""
        return _ended(text, newline) + f"{gap}[{'.'.join(map(_bare, path[:-1]))}]{newline}{line}"
    return _ended(text[:place], newline) + line + text[place:]


def _within(table: Any, path: Names, value: object) -> object:
    """An inline table with one of its values changed."""
    if not path:
        return value
    inner = table.get(path[0], {}) if isinstance(table, dict) else {}
    return {**(table if isinstance(table, dict) else {}), path[0]: _within(inner, path[1:], value)}


def _end_of_section(text: str, entries: Sequence[Entry], section: Names) -> int | None:
    """Where a key is added to a section: behind its last one; None where there is no such section."""
    place = None if section else 0
    current: Names = ()
    for entry in entries:
        current = entry.path if entry.is_heading else current
        if current == section:
            place = entry.end
    return _behind_opening_comment(text) if place == 0 else place


def _behind_opening_comment(text: str) -> int:
    """Behind the comment that a file opens with, where a blank line sets it apart."""
    place = 0
    while text.startswith("#", place):
        place = _line_end(text, place)
    end = _line_end(text, place)
    return end if place and not text[place:end].strip() else 0


def _entry(text: str, place: int, section: Names) -> Entry | None:
    """The key or heading whose line begins at a place; None for a blank line or a comment."""
    end = _line_end(text, place)
    line = text[place:end]
    if not line.strip() or line.lstrip().startswith("#"):
        return None
    if line.lstrip().startswith("["):
        heading = line.strip()
        return Entry(_only_path(tomllib.loads(heading)), True, place, (end, end), end)
    key, start = _key(text, place)
    stop = _value_end(text, start)
    return Entry((*section, *key), False, place, (start, stop), _line_end(text, stop))


def _key(text: str, place: int) -> tuple[Names, int]:
    """A key's names, and where its value begins."""
    equals = text.index("=", place)
    while True:
        try:
            names = _only_path(tomllib.loads(f"{text[place:equals]}= 0"))
        except tomllib.TOMLDecodeError:  # this one stands in a quoted name
            equals = text.index("=", equals + 1)
            continue
        start = equals + 1
        return names, start + len(text[start:]) - len(text[start:].lstrip(" \t"))


def _value_end(text: str, start: int) -> int:
    """Where a value ends: the first comment, or end of a line, before which all is whole."""
    for place in range(start, len(text) + 1):
        if place == len(text) or text[place] in "#\n":
            value = text[start:place].rstrip()
            try:
                tomllib.loads(f"x = {value}")
            except tomllib.TOMLDecodeError:
                continue
            return start + len(value)
    raise AssertionError("tomllib has read this text before")


def _only_path(table: dict[str, Any]) -> Names:
    """The names that lead through a table that holds one thing alone."""
    names: list[str] = []
    inner: Any = table
    while isinstance(inner, dict) and inner:
        ((name, inner),) = inner.items()
        names.append(name)
    return tuple(names)


def _line_end(text: str, place: int) -> int:
    found = text.find("\n", place)
    return len(text) if found < 0 else found + 1


def _ended(text: str, newline: str) -> str:
    return text if not text or text.endswith("\n") else text + newline


def _bare(name: str) -> str:
    is_bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if is_bare else literal(name)


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # no TOML, or a number of 5,000 digits
        raise ConfigError(f"this is no TOML: {error}", hint="Mend it with `shammah config edit`.") from error


def _at(table: Any, path: Names) -> Any:
    """What a path leads to; None where it leads nowhere."""
    for name in path:
        table = table.get(name) if isinstance(table, dict) else None
    return table


def _checked(before: str, after: str, path: Names, value: object) -> str:
    """The changed text, once tomllib says that nothing but the key was changed."""
    wanted = _within(_parsed(before), path, value)
    try:
        is_right = tomllib.loads(after) == wanted
    except tomllib.TOMLDecodeError:
        is_right = False
    if not is_right:
        raise _too_terse(path)
    return after


def _too_terse(path: Names) -> ConfigError:
    hint = "Change it by hand with `shammah config edit`."
    return ConfigError(f"`{'.'.join(path)}` cannot be changed without changing how the file is written", hint=hint)
