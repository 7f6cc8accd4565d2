"""Calls of tools as they are on the teacher's wire: gathered from a stream, and sent back with their results."""

import json
from collections.abc import Iterator
from typing import Any

from shammah.generation import Exchange, ToolCall


class Blocks:
    """What the blocks of a stream say: text as it comes, and calls once their arguments are whole."""

    def __init__(self) -> None:
        self._open: tuple[str, str] | None = None
        self._pieces: list[str] = []

    def hear(self, event: Any) -> Iterator[str | ToolCall]:
        """The text that an event brings, or the call that it ends."""
        if event.type == "content_block_start" and event.content_block.type == "tool_use":
            block = event.content_block
            self._open, self._pieces = (_text(block.id), _text(block.name)), []
        elif event.type == "content_block_delta" and event.delta.type == "text_delta":
            yield _text(event.delta.text)
        elif event.type == "content_block_delta" and event.delta.type == "input_json_delta":
            self._pieces.append(event.delta.partial_json)
        elif event.type == "content_block_stop" and self._open is not None:
            (id, name), self._open = self._open, None
            yield ToolCall(id, name, "".join(self._pieces) or "{}")


def _text(value: object) -> str:
    """What has to be a text.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(value, str):
        raise TypeError(f"a text is {type(value).__name__}")
    return value


def turns_of(exchange: Exchange) -> list[dict[str, Any]]:
    """Calls and their results, as the two turns that they are on the wire."""
    said = [{"type": "text", "text": exchange.said}] if exchange.said.strip() else []
    calls = [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": _object(call.arguments)}
        for call in exchange.calls
    ]
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": result, "is_error": call.id in exchange.failed}
        for call, result in zip(exchange.calls, exchange.results, strict=True)
    ]
    return [{"role": "assistant", "content": [*said, *calls]}, {"role": "user", "content": results}]


def _object(text: str) -> dict[str, Any]:
    """Arguments as they are sent back; what was no JSON object is an empty one."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
