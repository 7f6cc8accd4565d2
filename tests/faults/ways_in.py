"""The daemon's doors for bodies, without a network: requests go to its applications as they come from a socket."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message

from shammah import __version__, config
from shammah.serve import doors
from shammah.serve.house import House
from shammah.serve.private import Private
from shammah.serve.token import token_of
from shammah.teaching import doors as tools

_TALK: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]
_TOOL = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
_CHAT = {
    "model": "shammah:local",
    "messages": [
        *_TALK,
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "write", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "done"}]},
        {"role": "user", "content": "and now?"},
    ],
    "tools": [{"type": "function", "function": {"name": "write", "description": "Writes.", "parameters": _TOOL}}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": _TOOL}},
    "stop": ["\n"], "temperature": 0.5, "max_tokens": 4, "seed": 7, "stream": True,
    "stream_options": {"include_usage": True}, "tool_choice": "auto", "user": "me",
}  # fmt: skip
_MESSAGES = {
    "model": "shammah", "max_tokens": 4, "system": [{"type": "text", "text": "Be brief."}],
    "messages": [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "write", "input": {"text": "x"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "done"}]},
    ],
    "tools": [{"name": "write", "description": "Writes.", "input_schema": _TOOL}], "tool_choice": {"type": "any"},
    "stop_sequences": ["\n"], "temperature": 1, "top_p": 0.9, "metadata": {"user_id": "me"},
}  # fmt: skip
_COUNT = {name: _MESSAGES[name] for name in ("model", "messages", "system", "tools")}
_BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": _CHAT,
    "/v1/completions": {"model": "shammah", "prompt": "hello", "max_tokens": 4, "echo": False, "n": 1},
    "/v1/messages": _MESSAGES,
    "/v1/messages/count_tokens": _COUNT,
    "/v1/embeddings": {"model": "shammah", "input": ["a", "b"], "encoding_format": "base64"},
    "/feedback": {"id": "abc", "rating": "critical", "note": "no", "answer": "yes"},
    "/train": {},
}
_CALL = {
    "version": __version__, "asked": {"text": "hello", "session": "here", "history": [["user", "a"]]},
    "given": [["offline", True], ["answer.max_tokens", 5]], "environ": {"ANTHROPIC_API_KEY": "k"},
    "may_fetch": False, "has_terminal": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class WayIn:
    """One door, or several that share what they take.

    Attributes:
        valid: Bodies that it takes.
    """

    name: str
    send: Callable[[bytes], object]
    valid: tuple[bytes, ...]


@contextmanager
def ways_in(home: Path) -> Iterator[list[WayIn]]:
    """All that take a body; the model is not open, so whatever can be answered is put off."""
    settings = config.load({"SHAMMAH_HOME": str(home), "SHAMMAH_WORKER_ENABLED": "0"})
    home.mkdir()
    token = token_of(home)
    house = House(settings, _no_engine)
    public, private = doors.app(house), Private(house, lambda: None).app
    with closing(house), asyncio.Runner() as runner:

        def to(app: ASGIApp, path: str) -> Callable[[bytes], None]:
            return lambda data: runner.run(_post(app, path, data, token))

        yield [
            *(WayIn(path, to(public, path), (_written(body),)) for path, body in _BODIES.items()),
            *(WayIn(f"/v1/tools/{name}", to(public, f"/v1/tools/{name}"), (b"{}",)) for name in tools.NAMES[:1]),
            WayIn("/private/ask", to(private, "/private/ask"), (_written(_CALL),)),
            WayIn("/private/cancel", to(private, "/private/cancel"), (b'{"number": 1}',)),
        ]


def _no_engine(*_: object) -> Any:
    raise AssertionError("the model is never opened here")


def _written(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()


async def _post(app: ASGIApp, path: str, data: bytes, token: str) -> None:
    """Send a body, and read the answer to its end."""
    sent: list[Message] = []
    waiting = [{"type": "http.request", "body": data, "more_body": False}]

    async def receive() -> Message:
        if waiting:
            return waiting.pop()
        await asyncio.Event().wait()  # the client stays until it is answered
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    headers = {"host": "localhost", "content-type": "application/json", "authorization": f"Bearer {token}"}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80), "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    await app(scope, receive, send)
    status = sent[0]["status"]
    assert status != 500, f"{path} answers {b''.join(one.get('body', b'') for one in sent[1:])!r}"
    body = b"".join(one.get("body", b"") for one in sent[1:])
    assert b"the daemon failed" not in body, body
