"""A request to `/v1/messages`, as what is wanted."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from shammah.generation import ANY_TOOL, Sampling
from shammah.serve import grammars
from shammah.serve.document import check
from shammah.serve.history import History
from shammah.serve.openai_chat import in_words
from shammah.serve.openai_sampling import sampling_of
from shammah.serve.wanted import Defaults, Object, Refused, Wanted, way_of
from shammah.tool_text import Call, Tool
from shammah_convert.chat import Message


def wanted(body: Object, defaults: Defaults) -> Wanted:
    """Read a request.

    Raises:
        Refused: It asks for what there is not, or is not to be understood.
    """
    check(body, "MessagesRequest")
    tools, choice = _tools(body), body.get("tool_choice") or {"type": "auto"}
    return Wanted(
        model=body["model"],
        way=way_of(body["model"]),
        messages=_messages(body, defaults, tools),
        sampling=_sampling(body, defaults, tools),
        tools=tools,
        max_tokens=body["max_tokens"],
        user=(body.get("metadata") or {}).get("user_id") or "",
        streams=bool(body.get("stream")),
        includes_usage=True,
        calls_once=bool(choice.get("disable_parallel_tool_use")),
    )


def counted(body: Object, defaults: Defaults) -> tuple[Message, ...]:
    """The conversation of a request whose tokens are to be counted.

    Raises:
        Refused: It is not to be understood.
    """
    check(body, "CountRequest")
    way_of(body["model"])
    return _messages(body, defaults, _tools(body))


def _messages(body: Object, defaults: Defaults, tools: Sequence[Tool]) -> tuple[Message, ...]:
    _refuse_thinking(body)
    history = History()
    history.system(_text(body.get("system"), "\n\n"))
    for place, message in enumerate(body["messages"]):
        _add(history, message, f"messages[{place}]")
    schema = _schema(body)
    return history.messages(defaults.system, tools, in_words(schema) if schema is not None else "", "messages")


def _refuse_thinking(body: Object) -> None:
    if (body.get("thinking") or {}).get("type") not in (None, "disabled", "adaptive"):
        raise Refused("nobody thinks aloud here; leave `thinking` out, or say disabled", "thinking.type")


def _schema(body: Object) -> Object | None:
    wanted = (body.get("output_config") or {}).get("format")
    return dict(wanted["schema"]) if wanted else None


def _sampling(body: Object, defaults: Defaults, tools: Sequence[Tool]) -> Sampling:
    greedy = body.get("top_k") == 1
    if body.get("top_k") and not greedy and body.get("temperature") != 0:
        raise Refused("`top_k` is not offered here; use `temperature`", "top_k")
    choice = _choice(body, tools)
    grammar = grammars.of_call([tool for tool in tools if choice in (ANY_TOOL, tool.name)]) if choice else ""
    settled = Sampling(schema=None if choice else _schema(body), grammar=grammar, tool=choice)
    asked = {name: body.get(name) for name in ("max_tokens", "temperature", "top_p")}
    sampling = sampling_of(asked | {"stop": body.get("stop_sequences")}, defaults, settled)
    return replace(sampling, temperature=0.0) if greedy else sampling


def _tools(body: Object) -> tuple[Tool, ...]:
    """The tools that may be called: none where the choice says so."""
    given = body.get("tools") or ()
    if len({tool["name"] for tool in given}) < len(given):
        raise Refused("two tools have the same name", "tools")
    if (body.get("tool_choice") or {}).get("type") == "none":
        return ()
    return tuple(Tool(tool["name"], tool.get("description") or "", tool["input_schema"]) for tool in given)


def _choice(body: Object, tools: Sequence[Tool]) -> str:
    """The tool that is to be called, as `Sampling.tool` has it."""
    choice = body.get("tool_choice") or {"type": "auto"}
    if choice["type"] in ("auto", "none"):
        return ""
    if not tools:
        raise Refused("there are no tools to choose from", "tool_choice")
    if choice["type"] == "any":
        return ANY_TOOL
    name = str(choice.get("name", ""))
    if name not in {tool.name for tool in tools}:
        raise Refused(f"there is no tool {name!r}", "tool_choice.name")
    return name


def _add(history: History, message: Object, param: str) -> None:
    content = message["content"]
    blocks: list[Object] = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if message["role"] == "assistant":
        _refuse(blocks, "tool_result", param, "the user's")
        calls = {block["id"]: Call(block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"}
        history.assistant(_text(blocks), calls, param)
        return
    _refuse(blocks, "tool_use", param, "the assistant's")
    for place, block in enumerate(blocks):
        if block["type"] == "tool_result":
            history.result(block["tool_use_id"], _result(block), f"{param}.content[{place}].tool_use_id")
    history.user(_text(blocks), param)


def _refuse(blocks: Iterable[Object], kind: str, param: str, whose: str) -> None:
    place = next((place for place, block in enumerate(blocks) if block["type"] == kind), None)
    if place is not None:
        raise Refused(f"a {kind} block stands in {whose} message", f"{param}.content[{place}].type")


def _result(block: Object) -> str:
    """What came of a call; what failed says so, as Qwen's form has no place for it."""
    text = _text(block.get("content"))
    return f"Error: {text}" if block.get("is_error") else text


def _text(content: Any, joint: str = "") -> str:
    """The text of a message, a result or a system prompt; what was thought earlier is left out, as the API allows."""
    if isinstance(content, str):
        return content
    return joint.join(block["text"] for block in content or () if block["type"] == "text")
