"""Tools in a conversation, written as Qwen's own template writes them.

Definitions stand at the end of the system message, a call in the assistant's, and what came of it in the user's that
follows. So a conversation is plain text wherever it goes: the redactor reads all of it, the journal keeps it, training
learns it, and the local model knows it. For Claude `claude_messages` turns it into Claude's own form.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shammah.generation import Chunk, Finish

OPEN, CLOSE = "<tool_call>", "</tool_call>"
_HEAD = (
    "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n"
)
_FOOT = (
    "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
    "<tool_call></tool_call> XML tags:\n<tool_call>\n"
    '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>'
)
_RESPONSE = re.compile(r"<tool_response>\n(.*?)\n</tool_response>(?:\n|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the one who asks would run.

    Attributes:
        parameters: JSON schema of its arguments.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """What a model wants to have run."""

    name: str
    arguments: Mapping[str, Any]


def with_tools(system: str, tools: Sequence[Tool]) -> str:
    """A system message with the tools' definitions below it."""
    if not tools:
        return system
    section = _HEAD + "\n".join(_definition(tool) for tool in tools) + _FOOT
    return f"{system}\n\n{section}" if system else section


def split_tools(system: str) -> tuple[str, tuple[Tool, ...]]:
    """A system message and the tools that stand below it: what `with_tools` put together."""
    start = system.rfind(_HEAD)
    if start < 0 or not system.endswith(_FOOT):
        return system, ()
    try:
        tools = tuple(map(_tool, system[start + len(_HEAD) : -len(_FOOT)].split("\n")))
    except (ValueError, KeyError, TypeError):  # written by hand
        return system, ()
    return system[:start].removesuffix("\n\n"), tools


def said(text: str, calls: Sequence[Call]) -> str:
    """What an assistant said and called, as its message."""
    return "\n".join([*([text] if text else ()), *map(_written, calls)])


def came_of(results: Sequence[str], text: str = "") -> str:
    """What came of calls, in their order, and what the user says beside it, as the user's message."""
    return "\n".join(
        [*(f"<tool_response>\n{result}\n</tool_response>" for result in results), *([text] if text else ())]
    )


def read_said(text: str, names: Collection[str] | None = None) -> tuple[str, tuple[Call, ...]]:
    """An assistant's message as what it said and what it called; with names, only tools of such a name are called."""
    splitter = Splitter(names)
    pieces = [*splitter.feed(text), *splitter.finish()]
    said = "".join(piece for piece in pieces if isinstance(piece, str))
    return said, tuple(piece for piece in pieces if isinstance(piece, Call))


def read_came_of(text: str) -> tuple[tuple[str, ...], str]:
    """A user's message as results and what is said after them."""
    results, at = [], 0
    while (match := _RESPONSE.match(text, at)) is not None:
        results.append(match[1])
        at = match.end()
    return tuple(results), text[at:]


def written(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """A stream whose calls are a part of its text: whoever asked with tools in the conversation reads them there."""
    for chunk in chunks:
        if chunk.call is not None:
            yield Chunk("\n" + _as_written(chunk.call.name, chunk.call.arguments))
        elif chunk.end is not None and chunk.end.finish is Finish.TOOL:
            yield replace(chunk, end=replace(chunk.end, finish=Finish.STOP))
        else:
            yield chunk


class Splitter:
    """Tells text from calls while they stream, wherever the borders of chunks fall; blanks around both are dropped.

    What stands between the marks and is no call of a known tool stays text.
    """

    def __init__(self, names: Collection[str] | None = None) -> None:
        """Expect calls of tools with these names; None takes any name, and no name at all makes everything text."""
        self._names = names
        self._held = ""
        self._blanks = ""
        self._has_said = False

    def feed(self, text: str) -> Iterator[str | Call]:
        """What has become certain with another piece of the text."""
        self._held += text
        while (start := self._find()) >= 0:
            yield from self._say(self._held[:start])
            end = self._held.find(CLOSE, start)
            if end < 0:
                self._held = self._held[start:]
                return
            yield from self._take(self._held[start + len(OPEN) : end], CLOSE)
            self._held = self._held[end + len(CLOSE) :]
        safe = len(self._held) - self._open_end()
        ready, self._held = self._held[:safe], self._held[safe:]
        yield from self._say(ready)

    def finish(self) -> Iterator[str | Call]:
        """What was held back, now that nothing follows: a last call may lack its closing mark."""
        held, self._held = self._held, ""
        if self._expects_calls and held.startswith(OPEN):
            yield from self._take(held.removeprefix(OPEN), "")
        else:
            yield from self._say(held)

    @property
    def _expects_calls(self) -> bool:
        return self._names is None or bool(self._names)

    def _find(self) -> int:
        return self._held.find(OPEN) if self._expects_calls else -1

    def _open_end(self) -> int:
        """How many of the last characters may begin a call's mark."""
        if not self._expects_calls:
            return 0
        return next((n for n in range(len(OPEN) - 1, 0, -1) if self._held.endswith(OPEN[:n])), 0)

    def _take(self, block: str, close: str) -> Iterator[str | Call]:
        call = _call(block)
        if call is None or (self._names is not None and call.name not in self._names):
            yield from self._say(OPEN + block + close)
            return
        self._blanks, self._has_said = "", False
        yield call

    def _say(self, text: str) -> Iterator[str]:
        text = self._blanks + text
        if not self._has_said:
            text = text.lstrip()
        words = text.rstrip()
        self._blanks = text[len(words) :]
        if words:
            self._has_said = True
            yield words


def _definition(tool: Tool) -> str:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return json.dumps({"type": "function", "function": function}, ensure_ascii=False)


def _tool(line: str) -> Tool:
    function = json.loads(line)["function"]
    return Tool(str(function["name"]), str(function["description"]), dict(function["parameters"]))


def _written(call: Call) -> str:
    return _framed(call.name, json.dumps(call.arguments, ensure_ascii=False))


def _as_written(name: str, arguments: str) -> str:
    """A call whose arguments are JSON of somebody else's spacing, as we would write it."""
    text = _framed(name, arguments)
    call = _call(text.removeprefix(OPEN).removesuffix(CLOSE))
    return text if call is None else _written(call)


def _framed(name: str, arguments: str) -> str:
    return f'{OPEN}\n{{"name": {json.dumps(name, ensure_ascii=False)}, "arguments": {arguments}}}\n{CLOSE}'


def _call(block: str) -> Call | None:
    """What stands between the marks as a call; None where it is none."""
    try:
        found = json.loads(block)
        name, arguments = found["name"], found.get("arguments", {})
        arguments = json.loads(arguments) if isinstance(arguments, str) else arguments  # as some write it
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return Call(name, arguments) if isinstance(name, str) and isinstance(arguments, dict) else None
