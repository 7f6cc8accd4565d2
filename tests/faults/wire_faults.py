"""What the wire to the teacher can do to an answer, as steps of a server, with the words in which it is to be told."""

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.faults.wire_server import Drip, Endless, Read, Reset, Stall, Step

SAID = "the answer of the teacher"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        words: A regular expression that the error is to match; empty where an answer is to come all the same.
        kind: The error's class.
        scheme: In which the client is sent there.
        most_requests: So often it may be asked at most.
    """

    name: str
    steps: tuple[Step, ...]
    words: str
    kind: str = "TeacherError"
    scheme: str = "http"
    most_requests: int = 4


def head(status: str = "200 OK", *headers: str) -> bytes:
    """The head of an answer; without other headers, that of a stream of events in chunks."""
    given = headers or ("content-type: text/event-stream", "transfer-encoding: chunked")
    return "\r\n".join([f"HTTP/1.1 {status}", *given, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    """One chunk; the empty one ends the body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(kind: str, **fields: object) -> bytes:
    """An event as a chunk."""
    return chunk(plain_event(kind, **fields))


def plain_event(kind: str, **fields: object) -> bytes:
    """An event by itself."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | fields)}\n\n".encode()


_MESSAGE: dict[str, object] = {
    "id": "msg_test",
    "type": "message",
    "role": "assistant",
    "model": "claude-test",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 12, "output_tokens": 1},
}
HEAD = head()
START = event("message_start", message=_MESSAGE)
BLOCK = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
TEXT = event("content_block_delta", index=0, delta={"type": "text_delta", "text": SAID})
BLOCK_END = event("content_block_stop", index=0)
DELTA = event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 6})
STOP, END = event("message_stop"), chunk(b"")
WHOLE = (HEAD, START, BLOCK, TEXT, BLOCK_END, DELTA, STOP, END)
STAGES: dict[str, tuple[Step, ...]] = {
    "accepted": (),
    "asked": (Read(),),
    "status": (Read(), HEAD[:14]),
    "headers": (Read(), HEAD),
    "begun": (Read(), HEAD, START),
    "text": (Read(), HEAD, START, BLOCK, TEXT),
    "ended": (Read(), HEAD, START, BLOCK, TEXT, BLOCK_END, DELTA),
}
LATE = r"in time|within"
CUT = r"cut off|cannot be reached"
FOREIGN = r"not Claude's API"
PAGE = b"<!DOCTYPE html><html><body>Please log in to this network.</body></html>"


def faults() -> list[Fault]:
    """All of them."""
    return [*_at_stages(), *_bodies(), *_statuses(), *_streams(), *_borne()]


def _at_stages() -> Iterator[Fault]:
    for stage, steps in STAGES.items():
        yield Fault(f"reset-{stage}", (*steps, Reset()), CUT)
        yield Fault(f"stall-{stage}", (*steps, Stall()), LATE)
        if stage not in ("accepted", "ended"):
            yield Fault(f"cut-{stage}", steps, f"{CUT}|{FOREIGN}")
    yield Fault("drip-status", (Read(), Drip(b"HTTP/1.1 200 OK\r\nx-padding: " + b"x" * 4000)), LATE)
    yield Fault("drip-pings", (*STAGES["begun"], Drip(event("ping"))), LATE)
    yield Fault("drip-text", (*STAGES["text"], Drip(TEXT)), LATE)
    yield Fault("cut-clean", (*STAGES["text"], END), CUT)
    yield Fault("cut-within-chunk", (*STAGES["text"], TEXT[:-20]), CUT)
    no_tls = head("400 Bad Request", "content-length: 0")
    yield Fault("tls-to-a-plain-port", (no_tls,), r"cannot be reached safely", scheme="https", most_requests=0)


def _bodies() -> Iterator[Fault]:
    html = ("content-type: text/html", f"content-length: {len(PAGE)}")
    typed = "content-type: text/event-stream"
    bare = plain_event("message_start", message=_MESSAGE)
    yield Fault("captive-portal", (Read(), head("200 OK", *html), PAGE), FOREIGN)
    yield Fault("login-as-events", (Read(), HEAD, chunk(PAGE), END), FOREIGN)
    yield Fault(
        "bad-json", (*STAGES["text"], chunk(b'event: content_block_delta\ndata: {"type": oh\n\n'), END), FOREIGN
    )
    yield Fault("no-utf-8", (*STAGES["text"], chunk(b"event: content_block_delta\ndata: \xff\xfe\n\n"), END), FOREIGN)
    yield Fault("length-too-long", (Read(), head("200 OK", typed, "content-length: 99999"), bare), CUT)
    yield Fault("length-too-short", (Read(), head("200 OK", typed, "content-length: 40"), bare), f"{CUT}|{FOREIGN}")
    yield Fault("length-no-number", (Read(), head("200 OK", typed, "content-length: many"), bare), f"{CUT}|{FOREIGN}")
    yield Fault("bad-chunk-size", (Read(), HEAD, START, b"xyz\r\nnothing\r\n"), CUT)
    yield Fault("no-http", (Read(), b"220 mail.example.org ESMTP\r\n"), f"{CUT}|{FOREIGN}")
    yield Fault("endless-line", (Read(), HEAD, Endless(chunk(b"x" * 65536))), f"{LATE}|more than|{FOREIGN}")
    yield Fault("endless-text", (*STAGES["text"], Endless(TEXT * 500)), f"{LATE}|more than")
    yield Fault(
        "endless-header", (Read(), b"HTTP/1.1 200 OK\r\n", Endless(b"x-padding: " + b"x" * 65536)), f"{CUT}|{LATE}"
    )
    packed = ("content-type: text/event-stream", "content-encoding: gzip", "connection: close")
    yield Fault(
        "compressed-garbage", (Read(), head("200 OK", *packed), b"\x1f\x8b" + b"\xff" * 500), f"{CUT}|{FOREIGN}"
    )
    bomb = gzip.compress(b"x" * 50_000_000)
    yield Fault("compressed-bomb", (Read(), head("200 OK", *packed), bomb), FOREIGN)


def _statuses() -> Iterator[Fault]:
    for code in (301, 302, 307, 308):
        to = ("location: http://127.0.0.1:9/login", "content-length: 0")
        yield Fault(f"redirect-{code}", (Read(), head(f"{code} Moved", *to)), "redirect", most_requests=1)
    for code in (400, 404, 413, 422):
        yield Fault(f"status-{code}", _refusal(code, "invalid_request_error", "no"), f"{code}: no", most_requests=1)
    for code in (408, 409, 429, 500, 502, 503, 504, 529):
        yield Fault(f"status-{code}", _refusal(code, "api_error", "later"), f"{code}: later")
    for code in (401, 403):
        steps = _refusal(code, "authentication_error", "invalid x-api-key")
        yield Fault(f"status-{code}", steps, "refused the key", "KeyMissing", most_requests=1)
    for after in ("0", "90", "1e9", "-1", "nan", "soon", "Wed, 21 Oct 2099 07:28:00 GMT"):
        yield Fault(
            f"retry-after-{after}", _refusal(429, "rate_limit_error", "slow", f"retry-after: {after}"), "429: slow"
        )
    for text in ("You have reached your specified API spend limit.", "Your credit balance is too low"):
        steps = _refusal(429, "rate_limit_error", text, "retry-after: 0")
        yield Fault(f"spent-{text.split()[1]}", steps, "spend limit|credit balance", most_requests=1)
    for code, words in ((407, "proxy"), (511, "log in|login")):
        length = f"content-length: {len(PAGE)}"
        yield Fault(f"status-{code}", (Read(), head(f"{code} No", "content-type: text/html", length), PAGE), words)


def _refusal(code: int, kind: str, text: str, *more: str) -> tuple[Step, ...]:
    body = json.dumps({"type": "error", "error": {"type": kind, "message": text}}).encode()
    return Read(), head(f"{code} No", "content-type: application/json", f"content-length: {len(body)}", *more), body


def _streams() -> Iterator[Fault]:
    """Whole bodies of events that make no answer."""
    number = event("content_block_delta", index=0, delta={"type": "text_delta", "text": 5})
    words = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": "many"})
    broken: dict[str, Sequence[bytes]] = {
        "no-message-stop": (START, BLOCK, TEXT, BLOCK_END, DELTA),
        "no-reason": (START, BLOCK, TEXT, BLOCK_END, STOP),
        "no-start": (BLOCK, TEXT, BLOCK_END, DELTA, STOP),
        "text-before-start": (BLOCK, TEXT, START, DELTA, STOP),
        "text-without-block": (START, TEXT, DELTA, STOP),
        "stop-at-once": (STOP, START, BLOCK, TEXT, BLOCK_END, DELTA),
        "start-twice": (START, BLOCK, TEXT, START, BLOCK, TEXT, BLOCK_END, DELTA, STOP),
        "nothing": (),
        "start-without-usage": (event("message_start", message={}), BLOCK, TEXT, BLOCK_END, DELTA, STOP),
        "delta-is-a-list": (START, BLOCK, event("content_block_delta", index=0, delta=[]), DELTA, STOP),
        "text-is-a-number": (START, BLOCK, number, BLOCK_END, DELTA, STOP),
        "tokens-are-words": (START, BLOCK, TEXT, BLOCK_END, words, STOP),
        "data-is-a-list": (START, chunk(b"event: content_block_delta\ndata: []\n\n"), DELTA, STOP),
    }
    for name, events in broken.items():
        yield Fault(f"events-{name}", (Read(), HEAD, *events, END), f"{CUT}|{FOREIGN}")
    error = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    yield Fault("events-error", (*STAGES["begun"], error, END), "broke off: Overloaded")
    yield Fault("events-error-after-text", (*STAGES["text"], error, END), "broke off: Overloaded", most_requests=1)


def _borne() -> Iterator[Fault]:
    """What makes an answer all the same."""
    new = event("a_kind_of_tomorrow", index=7, delta={"type": "thought", "thought": 1})
    odd = event("content_block_delta", index=0, delta={"type": "citations_delta", "citation": {"type": "x"}})
    yield Fault("whole", (Read(), *WHOLE), "")
    yield Fault(
        "unknown-events", (Read(), HEAD, new, START, new, BLOCK, TEXT, odd, BLOCK_END, DELTA, new, STOP, END), ""
    )
    yield Fault("comments", (Read(), HEAD, chunk(b": keep-alive\n\n"), *WHOLE[1:]), "")
    pieces = b"".join(WHOLE[1:])
    split = tuple(chunk(bytes([one])) for one in _unchunked(pieces))
    yield Fault("byte-by-byte", (Read(), HEAD, *split, END), "")
    yield Fault("without-chunks", (Read(), head("200 OK", "content-type: text/event-stream"), _unchunked(pieces)), "")


def _unchunked(data: bytes) -> bytes:
    """The body that chunks make."""
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        body, data = body + data[: int(size, 16)], data[int(size, 16) + 2 :]
    return body
