"""A conversation as Claude's API takes it: tools, calls and results leave the text and become what they are."""

from collections.abc import Iterator, Sequence
from typing import Any

from shammah.generation import ANY_TOOL, Sampling
from shammah.tool_calls import turns_of
from shammah.tool_text import Call, Tool, read_came_of, read_said, split_tools
from shammah_convert.chat import Message

Block = dict[str, Any]


def request_of(messages: Sequence[Message], sampling: Sampling) -> dict[str, Any]:
    """The fields of a request that a conversation and its sampling decide."""
    system, tools = _system(messages)
    said = [message for message in messages if message.role != "system" and message.content.strip()]
    turns: list[Block] = list(_turns(said)) if tools else [{"role": m.role, "content": m.content} for m in said]
    request: dict[str, Any] = {"max_tokens": sampling.max_tokens, "messages": turns}
    if system:
        request["system"] = system
    if sampling.stop:
        request["stop_sequences"] = list(sampling.stop)
    if sampling.schema is not None:
        request["output_config"] = {"format": {"type": "json_schema", "schema": dict(sampling.schema)}}
    if tools:
        request |= {"tools": [_tool(tool) for tool in tools], "tool_choice": _choice(sampling)}
    if sampling.toolbox is not None:
        turns += (turn for exchange in sampling.toolbox.exchanges for turn in turns_of(exchange))
        request["tools"] = [*request.get("tools", ()), *map(dict, sampling.toolbox.tools)]
    return request


def _system(messages: Sequence[Message]) -> tuple[str, tuple[Tool, ...]]:
    """All system messages as one, and the tools of them all."""
    parts = [split_tools(message.content) for message in messages if message.role == "system"]
    return "\n\n".join(text for text, _ in parts if text), tuple(tool for _, tools in parts for tool in tools)


def _tool(tool: Tool) -> Block:
    # Claude's API wants an object at the top; a tool without arguments may say nothing of it.
    schema = {"type": "object", **tool.parameters}
    return {"name": tool.name, "description": tool.description, "input_schema": schema}


def _choice(sampling: Sampling) -> Block:
    if not sampling.tool:
        return {"type": "auto"}
    return {"type": "any"} if sampling.tool == ANY_TOOL else {"type": "tool", "name": sampling.tool}


def _turns(messages: Sequence[Message]) -> Iterator[Block]:
    """Each message with its calls and results as blocks where each call has its result, else as the text that it is."""
    names = _Names()
    for message, after in zip(messages, [*messages[1:], None], strict=True):
        if message.role == "assistant" and after is not None and names.pair(message, after):
            text, calls = read_said(message.content)
            blocks = [{"type": "text", "text": text}] if text else []
            yield {"role": "assistant", "content": [*blocks, *map(_call, calls, names.open)]}
        elif names.open:
            results, text = read_came_of(message.content)
            answered = [_result(id, result) for id, result in zip(names.take(), results, strict=True)]
            blocks = [{"type": "text", "text": text}] if text.strip() else []
            yield {"role": "user", "content": [*answered, *blocks]}
        else:
            yield {"role": message.role, "content": message.content}


class _Names:
    """Names for calls, by which their results find them; `open` are those that wait for their results."""

    def __init__(self) -> None:
        self._given = 0
        self.open: list[str] = []

    def pair(self, message: Message, after: Message) -> bool:
        """Whether each call of a message has its result in the next one; they are named then."""
        calls = read_said(message.content)[1]
        if not calls or len(read_came_of(after.content)[0]) != len(calls) or after.role != "user":
            return False
        self.open = [f"toolu_{self._given + n:04}" for n in range(len(calls))]
        self._given += len(calls)
        return True

    def take(self) -> list[str]:
        """The names whose results come now."""
        taken, self.open = self.open, []
        return taken


def _call(call: Call, id: str) -> Block:
    return {"type": "tool_use", "id": id, "name": call.name, "input": dict(call.arguments)}


def _result(id: str, text: str) -> Block:
    return {"type": "tool_result", "tool_use_id": id, "content": text}
