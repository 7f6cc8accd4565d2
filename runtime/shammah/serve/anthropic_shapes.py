"""What Anthropic's clients send here and are sent: the shapes of its messages."""

from shammah.serve.openai_shapes import MOST_STOPS, MOST_TOKENS
from shammah.serve.shaping import (
    COUNT,
    FLAG,
    FREE,
    SAID,
    TEXT,
    Drawn,
    any_of,
    list_of,
    number,
    or_null,
    record,
    ref,
    reply,
    told,
    whole,
    word,
)

_CACHE: Drawn = {"cache_control": or_null(FREE)}
_TEXT_BLOCKS = list_of(ref("TextBlock"))
_ASKED: Drawn = {
    "model": told(SAID, "`shammah` is routed; `shammah:local`, `shammah:teacher` and `shammah:adapter=NAME` are not."),
    "messages": list_of(ref("TurnMessage"), 1),
    "system": or_null(any_of(TEXT, _TEXT_BLOCKS)),
    "tools": or_null(list_of(ref("CustomTool"), most=128)),
    "tool_choice": or_null(ref("CustomToolChoice")),
    "thinking": told(or_null(FREE), "Nobody thinks aloud here: a budget for it is refused."),
    "output_config": or_null(ref("OutputConfig")),
    "cache_control": or_null(FREE),
}

REQUESTS: Drawn = {
    "TextBlock": record(
        _CACHE | {"type": word("text"), "text": TEXT, "citations": or_null(list_of(FREE))}, ("type", "text")
    ),
    "ToolUseBlock": record(
        _CACHE | {"type": word("tool_use"), "id": SAID, "name": SAID, "input": FREE, "caller": or_null(FREE)},
        ("type", "id", "name", "input"),
    ),
    "ToolResultBlock": record(
        _CACHE
        | {
            "type": word("tool_result"),
            "tool_use_id": SAID,
            "content": or_null(any_of(TEXT, _TEXT_BLOCKS)),
            "is_error": or_null(FLAG),
        },
        ("type", "tool_use_id"),
    ),
    "ThinkingBlock": record({"type": word("thinking", "redacted_thinking")}, ("type",), is_closed=False),
    "TurnMessage": record(
        {
            "role": word("user", "assistant"),
            "content": any_of(
                TEXT,
                list_of(any_of(ref("TextBlock"), ref("ToolUseBlock"), ref("ToolResultBlock"), ref("ThinkingBlock"))),
            ),
        },
        ("role", "content"),
    ),
    "CustomTool": record(
        _CACHE
        | {
            "type": or_null(word("custom")),
            "name": SAID,
            "description": or_null(TEXT),
            "input_schema": FREE,
            "strict": or_null(FLAG),
            "eager_input_streaming": or_null(FLAG),
        },
        ("name", "input_schema"),
    ),
    "CustomToolChoice": record(
        {"type": word("auto", "any", "tool", "none"), "name": SAID, "disable_parallel_tool_use": or_null(FLAG)},
        ("type",),
    ),
    "OutputConfig": record(
        {
            "format": or_null(record({"type": word("json_schema"), "schema": FREE}, ("type", "schema"))),
            "effort": or_null(TEXT),
        }
    ),
    "MessagesRequest": record(
        _ASKED
        | {
            "max_tokens": whole(1, MOST_TOKENS),
            "stream": or_null(FLAG),
            "temperature": or_null(number(0, 1)),
            "top_p": or_null(number(0, 1)),
            "top_k": told(or_null(COUNT), "1 is greedy; others are refused, unless the temperature is 0."),
            "stop_sequences": or_null(list_of(SAID, most=MOST_STOPS)),
            "metadata": or_null(record({"user_id": or_null(TEXT)})),
            "service_tier": or_null(TEXT),
        },
        ("model", "messages", "max_tokens"),
    ),
    "CountRequest": record(_ASKED, ("model", "messages")),
}

_USED = reply({"input_tokens": COUNT, "output_tokens": COUNT})

REPLIES: Drawn = {
    "AnthropicMessage": reply(
        {
            "id": TEXT,
            "type": word("message"),
            "role": word("assistant"),
            "model": TEXT,
            "content": list_of(
                any_of(
                    reply({"type": word("text"), "text": TEXT}),
                    reply({"type": word("tool_use"), "id": TEXT, "name": TEXT, "input": FREE}),
                )
            ),
            "stop_reason": word("end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"),
            "stop_sequence": or_null(TEXT),
            "usage": _USED,
            "shammah": ref("Told"),
        }
    ),
    "TokenCount": reply({"input_tokens": COUNT}),
    "AnthropicError": reply({"type": word("error"), "error": reply({"type": TEXT, "message": TEXT})}),
}
