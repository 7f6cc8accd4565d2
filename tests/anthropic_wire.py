"""Anthropic's wire format: what the API refuses, and each behaviour acted out."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any, assert_never

from tests.behaviours import (
    Answer,
    BadJson,
    Behaviour,
    CutClean,
    CutDirty,
    Drip,
    ErrorEvent,
    Garbage,
    Mute,
    Redirect,
    Request,
    Stall,
    Status,
)
from tests.joining_server import TICK_SECONDS, Server

PING_SECONDS = 0.05
# A script that holds an answer for ever would hang a test: after this long the answer goes on.
LONGEST_HOLD_SECONDS = 20.0


def refusal(request: Request) -> Status | None:
    """What the real API says to a request that it does not take, as far as clients here can get it wrong."""
    if request.path != "/v1/messages":
        return Status(404, "not_found_error", f"no such path: {request.path}")
    # The documentation says x-api-key; the SDK (2.11) sends the key as a bearer.
    if not request.headers.get("authorization") and not request.headers.get("x-api-key"):
        return Status(401, "authentication_error", "x-api-key header is required")
    for is_wrong, message in _complaints(request.body):
        if is_wrong:
            return Status(400, "invalid_request_error", message)
    return None


def _complaints(body: dict[str, Any]) -> Iterator[tuple[bool, str]]:
    turns = body.get("messages") or []
    yield not body.get("model"), "model: Field required"
    yield not body.get("max_tokens"), "max_tokens: Field required"
    yield body.get("stream") is not True, "this server only streams"
    yield not turns, "messages: at least one message is required"
    yield any(turn["role"] not in ("user", "assistant") for turn in turns), "messages: Unexpected role"
    yield any(not turn["content"] for turn in turns), "messages: text content blocks must be non-empty"
    yield bool(turns) and turns[0]["role"] != "user", "messages: first message must use the user role"
    called = [(block["id"], block["name"]) for block in _blocks(turns, "tool_use")]
    results = [block["tool_use_id"] for block in _blocks(turns, "tool_result")]
    known = {tool["name"] for tool in body.get("tools") or []}
    yield [id for id, _ in called] != results, "messages: every tool_use needs a tool_result with its id"
    yield not {name for _, name in called} <= known, "messages: a tool that is not in `tools` was used"
    yield any(tool.keys() != {"name", "description", "input_schema"} for tool in body.get("tools") or []), "tools: bad"


def _blocks(turns: Sequence[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The content blocks of a kind, in order."""
    contents = (turn["content"] for turn in turns if isinstance(turn["content"], list))
    return [block for content in contents for block in content if block["type"] == kind]


class Handler(BaseHTTPRequestHandler):
    """One connection, one request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_POST(self) -> None:
        self.close_connection = True
        length = int(self.headers["content-length"])
        content = self.rfile.read(length)
        if len(content) < length:
            raise ConnectionError("the client left before all was said")
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._act(self.server.choose(Request(self.path.partition("?")[0], headers, json.loads(content))))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (its own name)
        """Keep stderr clean."""

    def _act(self, behaviour: Behaviour) -> None:
        match behaviour:
            case Status(code, error_type, message, headers):
                body = {"type": "error", "error": {"type": error_type, "message": message}}
                self._send_whole(code, "application/json", json.dumps(body), headers)
            case Garbage(page):
                self._send_whole(200, "text/html; charset=utf-8", page)
            case Redirect(to, code):
                self._send_whole(code, "text/plain", "", {"Location": f"{to}{self.path}"})
            case Mute():
                self._wait_for_end()
            case _:
                self._begin_stream()
                self._stream(behaviour)

    def _stream(self, behaviour: Answer | Stall | Drip | CutClean | CutDirty | BadJson | ErrorEvent) -> None:
        if isinstance(behaviour, Answer):
            self._answer(behaviour)
            return
        self._send_event("message_start", message=_message(input_tokens=12))
        if behaviour.text:
            self._send_event("content_block_start", index=0, content_block={"type": "text", "text": ""})
            self._send_text(behaviour.text)
        match behaviour:
            case Stall():
                self._wait_for_end()
            case Drip():
                while not self.server.is_closing.wait(PING_SECONDS):
                    self._send_event("ping")
            case CutClean():
                self._send_chunk(b"")
            case CutDirty():
                self.wfile.write(b'1000\r\nevent: content_block_delta\r\ndata: {"type": "content_bl')
            case BadJson():
                self._send_chunk(b'event: content_block_delta\ndata: {"type": "content_block_delta", oh\n\n')
                self._send_chunk(b"")
            case ErrorEvent(_, error_type, message):
                self._send_event("error", error={"type": error_type, "message": message})
                self._send_chunk(b"")
            case _:
                assert_never(behaviour)

    def _answer(self, answer: Answer) -> None:
        self._send_event("message_start", message=_message(answer.input_tokens))
        index = 0
        if answer.thinking:
            self._send_thinking(answer.thinking)
            index = 1
        if answer.text or not answer.calls:
            self._send_pieces(answer, index)
            index += 1
        for number, (name, given) in enumerate(answer.calls):
            self._send_call(f"toolu_{number}", name, given, index + number)
        self._send_event(
            "message_delta",
            delta={"stop_reason": "tool_use" if answer.calls else answer.stop_reason, "stop_sequence": None},
            usage={"output_tokens": answer.output_tokens},
        )
        self._send_event("message_stop")
        self._send_chunk(b"")

    def _send_pieces(self, answer: Answer, index: int) -> None:
        self._send_event("content_block_start", index=index, content_block={"type": "text", "text": ""})
        self._send_event("ping")
        for number, piece in enumerate(_pieces(answer.text, answer.chunks)):
            if number and answer.hold is not None:
                answer.hold.wait(LONGEST_HOLD_SECONDS)
            self._send_text(piece, index)
        self._send_event("content_block_stop", index=index)

    def _send_call(self, id: str, name: str, given: dict[str, Any], index: int) -> None:
        block = {"type": "tool_use", "id": id, "name": name, "input": {}}
        self._send_event("content_block_start", index=index, content_block=block)
        for piece in _pieces(json.dumps(given), 3):
            self._send_event(
                "content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": piece}
            )
        self._send_event("content_block_stop", index=index)

    def _send_thinking(self, thinking: str) -> None:
        block = {"type": "thinking", "thinking": "", "signature": ""}
        self._send_event("content_block_start", index=0, content_block=block)
        for delta in (
            {"type": "thinking_delta", "thinking": thinking},
            {"type": "signature_delta", "signature": "c2lnbmVk"},
        ):
            self._send_event("content_block_delta", index=0, delta=delta)
        self._send_event("content_block_stop", index=0)

    def _send_text(self, text: str, index: int = 0) -> None:
        self._send_event("content_block_delta", index=index, delta={"type": "text_delta", "text": text})

    def _send_event(self, event: str, **data: object) -> None:
        self._send_chunk(f"event: {event}\ndata: {json.dumps({'type': event} | data)}\n\n".encode())

    def _send_chunk(self, content: bytes) -> None:
        """One chunk of the chunked transfer; the empty one ends the body."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))

    def _begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("request-id", "req_test")
        self.end_headers()

    def _send_whole(self, code: int, content_type: str, text: str, headers: Mapping[str, str] | None = None) -> None:
        content = text.encode()
        self.send_response(code)
        all_headers = {"Content-Type": content_type, "Content-Length": str(len(content)), **(headers or {})}
        for name, value in all_headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _wait_for_end(self) -> None:
        """Say nothing until the client leaves or the server closes."""
        self.connection.settimeout(TICK_SECONDS)
        while not self.server.is_closing.is_set():
            try:
                if not self.connection.recv(1):
                    return
            except TimeoutError:
                continue


@dataclass(frozen=True, slots=True)
class Wire:
    """Whose format is spoken: how behaviours are acted out, and what is refused before any of them."""

    handler: type[Handler]
    refusal: Callable[[Request], Status | None]


def _message(input_tokens: int) -> dict[str, Any]:
    return {
        "id": "msg_test",
        "type": "message",
        "role": "assistant",
        "model": "claude-test",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": input_tokens, "output_tokens": 1},
    }


def _pieces(text: str, count: int) -> Iterator[str]:
    """The text in so many pieces of about one length, fewer where it is short."""
    size = max(1, -(-len(text) // count))
    return (text[start : start + size] for start in range(0, len(text), size))
