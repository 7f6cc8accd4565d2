"""A real HTTP server that speaks Anthropic's wire format, well or badly, as a script tells it.

    with AnthropicServer([Status(529, "overloaded_error"), Answer("hi")]) as server:
        ...  # server.url, server.requests

By hand: `python -m tests.anthropic_server "the answer"` prints its address and serves until stdin ends.
"""

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, assert_never

TICK_SECONDS = 0.02
PING_SECONDS = 0.05
# A script that holds an answer for ever would hang a test: after this long the answer goes on.
LONGEST_HOLD_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer.

    Attributes:
        chunks: In so many pieces.
        thinking: Said in a thinking block before the text; empty means no such block.
        hold: The pieces after the first wait for this event.
        calls: Tools that are called after the text, by name, with their input.
    """

    text: str
    chunks: int = 2
    stop_reason: str = "end_turn"
    input_tokens: int = 12
    output_tokens: int = 34
    thinking: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    hold: threading.Event | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """An HTTP error in Anthropic's form."""

    code: int
    error_type: str = "api_error"
    message: str = "Internal server error"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mute:
    """Not even a status line."""


@dataclass(frozen=True, slots=True)
class Stall:
    """The stream begins, says the text if there is one, and falls silent."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Drip:
    """The stream begins, says the text if there is one, and then pings for ever."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class CutClean:
    """The connection ends in good order between two events, before the answer's end."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class CutDirty:
    """The connection breaks inside a chunk of the chunked transfer."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Garbage:
    """A page for the eye where the API should be, with status 200."""

    page: str = "<!DOCTYPE html><html><body>Please log in to this network.</body></html>"


@dataclass(frozen=True, slots=True)
class Redirect:
    """The way to another address, in which a client would repeat the whole request."""

    to: str
    code: int = 307


@dataclass(frozen=True, slots=True)
class BadJson:
    """An event whose data is no JSON."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """An error that comes after the status line said 200."""

    text: str = ""
    error_type: str = "overloaded_error"
    message: str = "Overloaded"


Behaviour = Answer | Status | Mute | Stall | Drip | CutClean | CutDirty | Garbage | Redirect | BadJson | ErrorEvent


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent; names of headers in lower case."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]


class AnthropicServer:
    """Serves on a free loopback port between `__enter__` and `__exit__`.

    Args:
        script: One behaviour a request; the last one repeats.
        answer_with: Chooses the behaviour by the request's body, instead of a script.
        wire: Whose format is spoken, Anthropic's by default.
    """

    def __init__(
        self,
        script: Sequence[Behaviour] = (),
        answer_with: Callable[[dict[str, Any]], Behaviour] | None = None,
        wire: "Wire | None" = None,
    ) -> None:
        self._wire = wire or Wire(Handler, _refusal)
        assert bool(script) != bool(answer_with), "a script or a chooser, one of the two"
        self._script = list(script)
        self._answer_with = answer_with
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._server = _Server(self._choose, self._wire.handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(TICK_SECONDS,), name="server")

    @property
    def url(self) -> str:
        """The base URL for the client."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def requests(self) -> list[Request]:
        """Every request so far, in the order of arrival."""
        with self._lock:
            return list(self._requests)

    @property
    def open_connections(self) -> int:
        """How many clients still hold a connection."""
        return self._server.open_connections

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self._thread.join()
        assert not self._server.failures, self._server.failures

    def _choose(self, request: Request) -> Behaviour:
        with self._lock:
            self._requests.append(request)
            refusal = self._wire.refusal(request)
            if refusal is not None:
                return refusal
            if self._script:
                return self._script.pop(0) if len(self._script) > 1 else self._script[0]
        assert self._answer_with is not None, "there is no script"
        return self._answer_with(request.body)


def _refusal(request: Request) -> Status | None:
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


class _Server(ThreadingHTTPServer):
    """Joins its threads when it closes, whatever their clients do."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, choose: Callable[[Request], Behaviour], handler: "type[Handler]") -> None:
        self.choose = choose
        self.is_closing = threading.Event()
        self.failures: list[str] = []
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), handler)

    @property
    def open_connections(self) -> int:
        with self._lock:
            return len(self._connections)

    def close(self) -> None:
        self.is_closing.set()
        self.shutdown()
        with self._lock:
            for connection in self._connections:  # wakes a thread that reads from a silent client
                _shut(connection)
        self.server_close()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self._lock:
            self._connections.add(connection)
        return connection, address

    def close_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if not isinstance(error, ConnectionError):  # a client may leave whenever it likes
            self.failures.append(repr(error))


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # its client was faster


class Handler(BaseHTTPRequestHandler):
    """One connection, one request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        self.close_connection = True
        content = self.rfile.read(int(self.headers["content-length"]))
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


def main() -> None:
    """Serve one answer again and again until stdin ends."""
    with AnthropicServer([Answer(sys.argv[1] if len(sys.argv) > 1 else "hello")]) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
