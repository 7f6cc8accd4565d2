"""A conversation as OpenAI's API takes it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shammah.errors import BadGrammar
from shammah.generation import ANY_TOOL, Exchange, Sampling
from shammah.tool_text import Call, Tool, read_came_of, read_said, split_tools
from shammah_convert.chat import Message

Object = dict[str, Any]


def plain(model: str, messages: Sequence[Message], sampling: Sampling) -> Object:
    """A request for a model that stands in the local one's place: tools stay a part of the text, as it knows them."""
    turns = [{"role": message.role, "content": message.content} for message in messages]
    body = _body(model, turns, sampling) | {"temperature": sampling.temperature, "top_p": sampling.top_p}
    return body | ({"seed": sampling.seed} if sampling.seed is not None else {})


def unthinking(kind: str) -> Object:
    """What a request says so that a Qwen3 is prompted as it is here, where it does not think first."""
    return {"chat_template_kwargs": {"enable_thinking": False}} if kind in ("llama.cpp", "vllm") else {}


def with_tools(model: str, messages: Sequence[Message], sampling: Sampling) -> Object:
    """A request for the teacher: tools, calls and results leave the text and become what they are."""
    turns, tools = _turns(messages)
    if sampling.toolbox is not None:
        turns += (turn for exchange in sampling.toolbox.exchanges for turn in _exchanged(exchange))
        tools += map(_offered, sampling.toolbox.tools)
    body = _body(model, turns, sampling)
    return body | ({"tools": tools, "tool_choice": _choice(sampling)} if tools else {})


def _body(model: str, turns: list[Object], sampling: Sampling) -> Object:
    body: Object = {
        "model": model,
        "messages": turns,
        "max_tokens": sampling.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.schema is not None:
        schema = dict(sampling.schema)
        wanted = {"name": "answer", "schema": schema, "strict": is_strict(schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": wanted}
    return body


def is_strict(schema: Any) -> bool:
    """Whether a schema leaves no property open: only such a one may be asked for strictly."""
    if isinstance(schema, Mapping):
        properties = schema.get("properties")
        is_object = properties is not None or schema.get("type") == "object"
        is_closed = not is_object or (
            schema.get("additionalProperties") is False and set(schema.get("required", ())) == set(properties or ())
        )
        return is_closed and all(map(is_strict, schema.values()))
    return not isinstance(schema, list) or all(map(is_strict, schema))


def _turns(messages: Sequence[Message]) -> tuple[list[Object], list[Object]]:
    """Each message as turns, and all tools that a system message defines."""
    turns: list[Object] = []
    tools: list[Object] = []
    open_calls: list[str] = []
    for message, after in zip(messages, [*messages[1:], None], strict=True):
        if message.role == "system":
            text, defined = split_tools(message.content)
            tools += map(_tool, defined)
            turns += [{"role": "system", "content": text}] if text.strip() else []
        elif open_calls:
            turns += _came_of(message.content, open_calls)
            open_calls = []
        else:
            turn, open_calls = _turn(message, after, len(turns))
            turns.append(turn)
    return turns, tools


def _turn(message: Message, after: Message | None, number: int) -> tuple[Object, list[str]]:
    """A message, with the ids of what it calls where the next one has a result for each call; else the text it is."""
    plain_turn: Object = {"role": message.role, "content": message.content}
    if message.role != "assistant" or after is None or after.role != "user":
        return plain_turn, []
    said, calls = read_said(message.content)
    if not calls or len(read_came_of(after.content)[0]) != len(calls):
        return plain_turn, []
    ids = [f"call_{number:04}{place:04}" for place in range(len(calls))]
    return {"role": "assistant", "content": said or None, "tool_calls": list(map(_call, calls, ids))}, ids


def _came_of(text: str, open_calls: Sequence[str]) -> Iterator[Object]:
    """A user's message as a turn for each result, and one for what is said after them."""
    results, rest = read_came_of(text)
    for id, result in zip(open_calls, results, strict=True):
        yield {"role": "tool", "tool_call_id": id, "content": result}
    if rest.strip():
        yield {"role": "user", "content": rest}


def _exchanged(exchange: Exchange) -> Iterator[Object]:
    calls = [_called(call.id, call.name, call.arguments) for call in exchange.calls]
    yield {"role": "assistant", "content": exchange.said or None, "tool_calls": calls}
    for call, result in zip(exchange.calls, exchange.results, strict=True):
        yield {"role": "tool", "tool_call_id": call.id, "content": result}


def _call(call: Call, id: str) -> Object:
    return _called(id, call.name, json.dumps(call.arguments, ensure_ascii=False))


def _called(id: str, name: str, arguments: str) -> Object:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _tool(tool: Tool) -> Object:
    return _function(tool.name, tool.description, tool.parameters)


def _offered(tool: Mapping[str, object]) -> Object:
    """A tool of ours, which is kept in Claude's form."""
    schema = tool.get("input_schema")
    return _function(str(tool["name"]), str(tool.get("description", "")), schema if isinstance(schema, Mapping) else {})


def _function(name: str, description: str, parameters: Mapping[str, Any]) -> Object:
    schema = {"type": "object", "properties": {}, **parameters}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def _choice(sampling: Sampling) -> str | Object:
    if not sampling.tool:
        return "auto"
    return "required" if sampling.tool == ANY_TOOL else {"type": "function", "function": {"name": sampling.tool}}


def grammar(kind: str, text: str) -> Object:
    """What a request says so that its answer is of a GBNF grammar.

    Raises:
        BadGrammar: The server is none that takes one.
    """
    if not text:
        return {}
    if kind == "llama.cpp":
        return {"grammar": text}
    if kind == "vllm":
        return {"structured_outputs": {"grammar": text}}
    raise BadGrammar(
        "the model's server takes no grammar, and a call of a tool needs one",
        hint="llama-server and vLLM do; or let a model answer on this machine.",
    )
