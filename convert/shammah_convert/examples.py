"""Training examples as JSON lines that other trainers read too (TRL's prompt-completion and preference rows)."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from shammah_convert.chat import Message, Role

Source = Literal["user", "teacher", "self", "teach", "mcp", "http"]


class BadExample(ValueError):
    """A line is no training example; the text says why."""


@dataclass(frozen=True, slots=True)
class Example:
    """One weighted training target.

    Attributes:
        prompt: The conversation up to the question; context, never a target.
        completion: What the assistant should say, one message.
        rejected: What a user or a judge refused, or None.
        weight: Sampling weight, above 0 (critical 10, medium 3, good 1).
        created: UTC, ISO 8601 with a trailing Z.
    """

    id: str
    prompt: tuple[Message, ...]
    completion: tuple[Message, ...]
    rejected: tuple[Message, ...] | None
    weight: float
    source: Source
    created: str


def to_json(example: Example) -> str:
    """Write an example as one line."""
    return json.dumps(asdict(example), ensure_ascii=False)


def from_json(line: str) -> Example:
    """Read an example from one line.

    Raises:
        BadExample: The line is not JSON, lacks a field, or holds one of the wrong kind.
    """
    try:
        row = json.loads(line)
        example = Example(
            id=str(row["id"]),
            prompt=_messages(row["prompt"]),
            completion=_messages(row["completion"]),
            rejected=None if row.get("rejected") is None else _messages(row["rejected"]),
            weight=float(row["weight"]),
            source=row["source"],
            created=str(row["created"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise BadExample(f"not an example: {error!r}") from error
    _check(example)
    return example


def write(examples: Iterable[Example]) -> str:
    """Join examples to a JSONL text."""
    return "".join(to_json(example) + "\n" for example in examples)


def read(text: str) -> Iterator[Example]:
    """Read every example of a JSONL text; blank lines are skipped.

    Raises:
        BadExample: A line is broken; the message names its number.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield from_json(line)
            except BadExample as error:
                raise BadExample(f"line {number}: {error}") from error


def _messages(rows: Any) -> tuple[Message, ...]:
    return tuple(_message(row["role"], row["content"]) for row in rows)


def _message(role: Any, content: Any) -> Message:
    if role not in get_args(Role) or not isinstance(content, str):
        raise TypeError(f"{role!r} says {content!r}")
    return Message(role, content)


def _check(example: Example) -> None:
    if not 0 < example.weight < float("inf"):
        raise BadExample(f"weight is {example.weight}, not a positive number")
    if example.source not in get_args(Source):
        raise BadExample(f"source is {example.source!r}, not one of {', '.join(get_args(Source))}")
    if not example.prompt or [message.role for message in example.completion] != ["assistant"]:
        raise BadExample("a prompt and one assistant message as completion are needed")
