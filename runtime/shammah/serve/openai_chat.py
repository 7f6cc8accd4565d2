"""A request to `/v1/chat/completions`, as what is wanted."""

import json
from collections.abc import Sequence
from typing import Any

from shammah.generation import ANY_TOOL, Sampling
from shammah.serve import grammars
from shammah.serve.document import check
from shammah.serve.history import History
from shammah.serve.openai_sampling import refuse_unoffered, sampling_of
from shammah.serve.wanted import Defaults, Object, Refused, Wanted, way_of
from shammah.tool_text import Call, Tool

NO_ARGUMENTS: Object = {"type": "object", "properties": {}}
JSON_ALONE = "Answer with one JSON object and nothing else."


def wanted(body: Object, defaults: Defaults) -> Wanted:
    """Read a request.

    Raises:
        Refused: It asks for what there is not, or is not to be understood.
    """
    check(body, "ChatRequest")
    way = way_of(body["model"])
    refuse_unoffered(body)
    tools = _tools(body)
    choice = _choice(body, tools)
    schema, grammar, more = _format(body.get("response_format") or {"type": "text"})
    if choice:
        schema, grammar = None, grammars.of_call(_named(tools, choice))
    return Wanted(
        model=body["model"],
        way=way,
        messages=_history(body["messages"]).messages(defaults.system, tools, more, "messages"),
        sampling=sampling_of(body, defaults, Sampling(schema=schema, grammar=grammar, tool=choice)),
        tools=tools,
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        user=body.get("user") or body.get("safety_identifier") or "",
        streams=bool(body.get("stream")),
        includes_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        calls_once=body.get("parallel_tool_calls") is False,
    )


def _tools(body: Object) -> tuple[Tool, ...]:
    """The tools that may be called: none where the choice says so."""
    functions = [tool["function"] for tool in body.get("tools") or ()]
    if len({function["name"] for function in functions}) < len(functions):
        raise Refused("two tools have the same name", "tools")
    if body.get("tool_choice") == "none":
        return ()
    return tuple(Tool(f["name"], f.get("description") or "", f.get("parameters") or NO_ARGUMENTS) for f in functions)


def _choice(body: Object, tools: Sequence[Tool]) -> str:
    """The tool that is to be called, as `Sampling.tool` has it."""
    choice: Any = body.get("tool_choice") or "auto"
    if choice in ("auto", "none"):
        return ""
    if not tools:
        raise Refused("there are no tools to choose from", "tool_choice")
    if choice == "required":
        return ANY_TOOL
    name = str(choice["function"]["name"])
    if name not in {tool.name for tool in tools}:
        raise Refused(f"there is no tool {name!r}", "tool_choice.function.name")
    return name


def _named(tools: Sequence[Tool], choice: str) -> list[Tool]:
    return [tool for tool in tools if choice in (ANY_TOOL, tool.name)]


def _format(given: Object) -> tuple[Object | None, str, str]:
    """A response format as schema, grammar, and what the system message says of it."""
    match given["type"]:
        case "json_object":
            return None, grammars.of_object(), JSON_ALONE
        case "json_schema":
            schema = dict(given["json_schema"]["schema"])
            return schema, "", in_words(schema)
        case _:
            return None, "", ""


def in_words(schema: Object) -> str:
    """A schema as the system message tells it: a grammar forces a model, and does not tell it what is meant."""
    return f"Answer with JSON of this JSON schema and nothing else: {json.dumps(schema, ensure_ascii=False)}"


def _history(messages: Sequence[Object]) -> History:
    history = History()
    for place, message in enumerate(messages):
        _add(history, message, f"messages[{place}]")
    return history


def _add(history: History, message: Object, param: str) -> None:
    text = _text(message.get("content"))
    match message["role"]:
        case "system" | "developer":
            history.system(text)
        case "user":
            history.user(text, param)
        case "tool":
            history.result(message["tool_call_id"], text, f"{param}.tool_call_id")
        case _:
            history.assistant(text, _calls(message, param), param)


def _text(content: Any) -> str:
    """A message's text; parts are joined as they stand."""
    return content if isinstance(content, str) else "".join(part["text"] for part in content or ())


def _calls(message: Object, param: str) -> dict[str, Call]:
    calls = {}
    for place, call in enumerate(message.get("tool_calls") or ()):
        try:
            arguments = json.loads(call["function"]["arguments"] or "{}")
        except (ValueError, RecursionError):
            arguments = None
        if not isinstance(arguments, dict):
            raise Refused("the arguments are no JSON object", f"{param}.tool_calls[{place}].function.arguments")
        calls[call["id"]] = Call(call["function"]["name"], arguments)
    return calls
