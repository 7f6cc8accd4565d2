"""JSON in which secrets stand, a tool's call or a schema: they are looked for as they are, without escapes."""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

OPEN, CLOSE = "<tool_call>", "</tool_call>"


def pieces(text: str) -> Iterator[tuple[str, Any]]:
    """A text in pieces, in order: each with the object that it is, where it is that of a call, else with None."""
    done = 0
    for start, end in _calls(text):
        found = _object(text[start:end])
        if found is not None:
            yield text[done:start], None
            yield text[start:end], found
            done = end
    yield text[done:], None


def _calls(text: str) -> Iterator[tuple[int, int]]:
    """Where calls stand; each letter is looked at once, whatever a stranger sends."""
    end = 0
    while (mark := text.find(f"{OPEN}\n", end)) >= 0:
        start = mark + len(OPEN) + 1
        if (end := text.find(f"\n{CLOSE}", start - 1)) < 0:
            return
        yield start, max(start, end)


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def changed(value: Any, change: Callable[[str], str]) -> Any:
    """A value of JSON with every text in it changed, names of fields among them."""
    match value:
        case str():
            return change(value)
        case dict():
            return {change(name): changed(one, change) for name, one in value.items()}
        case list() | tuple():
            return [changed(one, change) for one in value]
        case _:
            return value


def texts(value: Any) -> Iterator[str]:
    """Every text in a value of JSON, names of fields among them."""
    match value:
        case str():
            yield value
        case dict():
            yield from value
            for one in value.values():
                yield from texts(one)
        case list() | tuple():
            for one in value:
                yield from texts(one)


def lines(value: Any, name: str = "") -> Iterator[tuple[str, int]]:
    """Each text in a value of JSON behind the name of its field, as somebody would write it; and where it begins."""
    match value:
        case str():
            before = f"{name}: " if name else ""
            yield before + value, len(before)
        case dict():
            for key, one in value.items():
                yield from lines(one, key)
        case list() | tuple():
            for one in value:
                yield from lines(one, name)


def plain(pieces_of_json: Iterable[str]) -> Iterator[str]:
    """Pieces of JSON's texts without their escapes; what is no such piece is left out."""
    for piece in pieces_of_json:
        with contextlib.suppress(ValueError):
            yield json.loads(f'"{piece}"')


def written(value: Any) -> str:
    """A value as JSON."""
    return json.dumps(value, ensure_ascii=False)


def within(text: str) -> str:
    """A text as it stands between the quotes of JSON."""
    return written(text)[1:-1]
