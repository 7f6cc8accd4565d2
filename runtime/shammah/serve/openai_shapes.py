"""What OpenAI's clients send here and are sent: the shapes of its chat, completions and embeddings."""

from shammah.serve.shaping import (
    COUNT,
    FLAG,
    FREE,
    NULL,
    NUMBER,
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

LARGEST_SEED = 2**63 - 1
MOST_TOKENS = 1 << 20
MOST_STOPS = 16
MOST_TEXTS = 256

_MODEL = told(SAID, "`shammah` is routed; `shammah:local`, `shammah:teacher` and `shammah:adapter=NAME` are not.")
_STOP = or_null(any_of(SAID, list_of(SAID, most=MOST_STOPS)))
_CONTENT = any_of(TEXT, list_of(ref("TextPart"), 1))
_TOKENS = or_null(whole(1, MOST_TOKENS))
_NONE = told(or_null({"type": "number", "enum": [0]}), "Not offered: 0 alone is taken.")
_SAMPLING: Drawn = {
    "model": _MODEL,
    "max_tokens": _TOKENS,
    "temperature": or_null(number(0, 2)),
    "top_p": or_null(number(0, 1)),
    "seed": or_null(whole(-LARGEST_SEED - 1, LARGEST_SEED)),
    "stop": _STOP,
    "n": told(or_null(whole(1, 1)), "One answer a request."),
    "stream": or_null(FLAG),
    "stream_options": or_null(ref("StreamOptions")),
    "presence_penalty": _NONE,
    "frequency_penalty": _NONE,
    "logit_bias": told(or_null(FREE), "Not offered: an empty one alone is taken."),
    "user": told(or_null(TEXT), "Tells the conversations of your users apart."),
}
# The API calls these hints, or keeps them for its own books: they change nothing here.
_HINTS: Drawn = {
    "metadata": or_null(FREE),
    "store": or_null(FLAG),
    "service_tier": or_null(TEXT),
    "reasoning_effort": or_null(TEXT),
    "verbosity": or_null(TEXT),
    "safety_identifier": or_null(TEXT),
    "prompt_cache_key": or_null(TEXT),
    "prompt_cache_retention": or_null(TEXT),
}

REQUESTS: Drawn = {
    "StreamOptions": record({"include_usage": or_null(FLAG), "include_obfuscation": or_null(FLAG)}),
    "TextPart": record({"type": word("text"), "text": TEXT}, ("type", "text")),
    "SystemMessage": record(
        {"role": word("system", "developer"), "content": _CONTENT, "name": or_null(TEXT)}, ("role", "content")
    ),
    "UserMessage": record({"role": word("user"), "content": _CONTENT, "name": or_null(TEXT)}, ("role", "content")),
    "AssistantMessage": record(
        {
            "role": word("assistant"),
            "content": or_null(_CONTENT),
            "tool_calls": or_null(list_of(ref("ToolCall"))),
            "refusal": or_null(TEXT),
            "annotations": or_null({"type": "array"}),
            "audio": NULL,
            "function_call": NULL,
            "name": or_null(TEXT),
        },
        ("role",),
    ),
    "ToolMessage": record(
        {"role": word("tool"), "content": _CONTENT, "tool_call_id": SAID}, ("role", "content", "tool_call_id")
    ),
    "ToolCall": record(
        {
            "id": SAID,
            "type": word("function"),
            "function": record({"name": SAID, "arguments": TEXT}, ("name", "arguments")),
        },
        ("id", "type", "function"),
    ),
    "Tool": record(
        {
            "type": word("function"),
            "function": record(
                {"name": SAID, "description": or_null(TEXT), "parameters": or_null(FREE), "strict": or_null(FLAG)},
                ("name",),
            ),
        },
        ("type", "function"),
    ),
    "ToolChoice": record(
        {"type": word("function"), "function": record({"name": SAID}, ("name",))}, ("type", "function")
    ),
    "PlainFormat": record({"type": word("text", "json_object")}, ("type",)),
    "SchemaFormat": record(
        {
            "type": word("json_schema"),
            "json_schema": record(
                {"name": SAID, "description": or_null(TEXT), "schema": FREE, "strict": or_null(FLAG)},
                ("name", "schema"),
            ),
        },
        ("type", "json_schema"),
    ),
    "ChatRequest": record(
        _SAMPLING
        | _HINTS
        | {
            "messages": list_of(
                any_of(ref("SystemMessage"), ref("UserMessage"), ref("AssistantMessage"), ref("ToolMessage")), 1
            ),
            "max_completion_tokens": _TOKENS,
            "response_format": or_null(any_of(ref("PlainFormat"), ref("SchemaFormat"))),
            "tools": or_null(list_of(ref("Tool"), most=128)),
            "tool_choice": or_null(any_of(word("none", "auto", "required"), ref("ToolChoice"))),
            "parallel_tool_calls": or_null(FLAG),
            "logprobs": told({"type": ["boolean", "null"], "enum": [False, None]}, "Not offered."),
            "top_logprobs": NULL,
            "modalities": or_null(list_of(word("text"), 1)),
        },
        ("model", "messages"),
    ),
    "CompletionRequest": record(
        _SAMPLING
        | {
            "prompt": any_of(SAID, list_of(SAID, 1, 1)),
            "best_of": or_null(whole(1, 1)),
            "echo": {"type": ["boolean", "null"], "enum": [False, None]},
            "logprobs": NULL,
            "suffix": NULL,
        },
        ("model", "prompt"),
    ),
    "EmbeddingRequest": record(
        {
            "model": SAID,
            "input": any_of(SAID, list_of(SAID, 1, MOST_TEXTS)),
            "encoding_format": or_null(word("float", "base64")),
            "dimensions": or_null(whole(1, 1 << 16)),
            "user": or_null(TEXT),
        },
        ("model", "input"),
    ),
}

_USAGE = reply({"prompt_tokens": COUNT, "completion_tokens": COUNT, "total_tokens": COUNT})
_FINISH = word("stop", "length", "tool_calls", "content_filter")
_HEAD: Drawn = {"id": TEXT, "created": COUNT, "model": TEXT}

REPLIES: Drawn = {
    "Usage": _USAGE,
    "Told": told(FREE, "Who answered and why, as `shammah ask --json` says it: docs/ask.schema.json."),
    "ChatCompletion": reply(
        _HEAD
        | {
            "object": word("chat.completion"),
            "choices": list_of(
                reply(
                    {
                        "index": COUNT,
                        "message": reply(
                            {
                                "role": word("assistant"),
                                "content": or_null(TEXT),
                                "refusal": or_null(TEXT),
                                "tool_calls": list_of(ref("ToolCall"), 1),
                            },
                            optional=("tool_calls",),
                        ),
                        "logprobs": NULL,
                        "finish_reason": _FINISH,
                    }
                ),
                1,
            ),
            "usage": ref("Usage"),
            "system_fingerprint": TEXT,
            "shammah": ref("Told"),
        }
    ),
    "TextCompletion": reply(
        _HEAD
        | {
            "object": word("text_completion"),
            "choices": list_of(reply({"index": COUNT, "text": TEXT, "logprobs": NULL, "finish_reason": _FINISH}), 1),
            "usage": ref("Usage"),
            "system_fingerprint": TEXT,
            "shammah": ref("Told"),
        }
    ),
    "EmbeddingList": reply(
        {
            "object": word("list"),
            "model": TEXT,
            "data": list_of(
                reply(
                    {
                        "object": word("embedding"),
                        "index": COUNT,
                        "embedding": any_of(list_of(NUMBER), told(TEXT, "base64 of float32, little-endian")),
                    }
                )
            ),
            "usage": reply({"prompt_tokens": COUNT, "total_tokens": COUNT}),
        }
    ),
    "OpenAIError": reply(
        {"error": reply({"message": TEXT, "type": TEXT, "param": or_null(TEXT), "code": or_null(TEXT)})}
    ),
}
