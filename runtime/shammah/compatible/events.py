"""What a stream of OpenAI's API says: lines of server-sent events, read as pieces of an answer and as its end."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from shammah.generation import Chunk, Finish, ToolCall

DONE = "[DONE]"
LONGEST_EVENT, MOST_LINES = 1 << 22, 1 << 12
MOST_TOKENS, LEAST_LOGPROB = 1 << 31, -1e3
_FINISHES = {
    "stop": Finish.STOP,
    "length": Finish.LENGTH,
    "tool_calls": Finish.TOOL,
    "function_call": Finish.TOOL,
    "content_filter": Finish.REFUSAL,
}


class NoEvents(Exception):
    """What came is no stream of OpenAI's API."""


class ErrorEvent(Exception):
    """The server said within the stream that it failed.

    Attributes:
        body: What it said.
    """

    def __init__(self, body: Any) -> None:
        super().__init__(str(body)[:300])
        self.body = body


@dataclass(slots=True)
class _OpenCall:
    id: str = ""
    name: str = ""
    arguments: str = ""


def data_of(lines: Iterable[str]) -> Iterator[str]:
    """The data of each event; comments, and fields that nobody needs, are left out.

    Raises:
        NoEvents: An event is longer than any answer.
    """
    held: list[str] = []
    size = 0
    for line in lines:
        if line.startswith("data:"):
            held.append(line.removeprefix("data:").removeprefix(" "))
            size += len(line)
            if size > LONGEST_EVENT or len(held) > MOST_LINES:
                raise NoEvents("an event has no end")
        elif not line and held:
            yield "\n".join(held)
            held, size = [], 0
    if held:
        yield "\n".join(held)


class Reading:
    """Reads one answer's events, in order.

    Attributes:
        finish: None until the server has said how the answer ended.
        is_done: Whether the stream said that nothing follows.
        usage: Tokens read and written, where the server told.
        stop_text: The wanted text that it ended before, where the server told.
        model: What the server calls the model that answers, where it told.
    """

    def __init__(self) -> None:
        self.finish: Finish | None = None
        self.is_done = False
        self.has_begun = False
        self.usage: tuple[int, int] | None = None
        self.stop_text = ""
        self.model = ""
        self._calls: dict[int, _OpenCall] = {}

    def read(self, data: str) -> Iterator[Chunk]:
        """The pieces that an event brings; a call comes whole, with the finish.

        Raises:
            NoEvents: It is none of this API's.
            ErrorEvent: It is an error.
        """
        if data.strip() == DONE:
            self.is_done = True
            return
        event = _object(data)
        if event.get("error"):
            raise ErrorEvent(event)
        if isinstance(event.get("model"), str):
            self.model = event["model"]
        try:
            self._count(event.get("usage"))
            yield from [chunk for choice in event.get("choices") or () for chunk in self._choice(choice)]
        except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
            raise NoEvents(f"{data[:80]!r} is no event of OpenAI's API") from error
        self.has_begun = True

    def _choice(self, choice: dict[str, Any]) -> Iterator[Chunk]:
        delta = choice.get("delta") or {}
        yield from _pieces(_text(delta.get("content")), choice.get("logprobs"))
        for call in delta.get("tool_calls") or ():
            self._gather(call)
        if isinstance(choice.get("stop_reason"), str):
            self.stop_text = choice["stop_reason"]
        if choice.get("finish_reason"):
            self.finish = _FINISHES.get(choice["finish_reason"], Finish.CUT)
            if self._calls and self.finish is Finish.STOP:  # as some servers say it
                self.finish = Finish.TOOL
            yield from self._called()

    def _gather(self, call: dict[str, Any]) -> None:
        held = self._calls.setdefault(int(call.get("index") or 0), _OpenCall())
        function = call.get("function") or {}
        held.id = held.id or _text(call.get("id"))
        held.name = held.name or _text(function.get("name"))
        held.arguments += _text(function.get("arguments"))

    def _called(self) -> Iterator[Chunk]:
        calls, self._calls = self._calls, {}
        for number, call in sorted(calls.items()):
            yield Chunk(call=ToolCall(call.id or f"call_{number}", call.name, call.arguments or "{}"))

    def _count(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self.usage = _tokens(usage.get("prompt_tokens")), _tokens(usage.get("completion_tokens"))


def _pieces(text: str, logprobs: Any) -> Iterator[Chunk]:
    """A piece of text, with the log-probability of each of its tokens where the server tells them."""
    told = (logprobs or {}).get("content") or () if isinstance(logprobs, dict) else ()
    values = [max(value, LEAST_LOGPROB) for token in told if (value := float(token["logprob"])) <= 0]
    if text or values:
        yield Chunk(text, values[0] if values else None)
    yield from (Chunk("", value) for value in values[1:])


def _tokens(value: Any) -> int:
    count = int(value or 0)
    if not 0 <= count <= MOST_TOKENS:
        raise ValueError(f"{count} tokens")
    return count


def _text(value: Any) -> str:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value or ""


def _object(data: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NoEvents(f"{data[:80]!r} is no JSON") from error
    if not isinstance(found, dict):
        raise NoEvents(f"{data[:80]!r} is no object")
    return found
