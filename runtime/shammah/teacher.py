"""Claude as the teacher: the one file that knows the anthropic SDK.

The SDK's timeouts are per read and it obeys any retry-after, so a dripping server would hold a call for ever.
Here one thread reads the wire, and whoever waits for the answer keeps one deadline over everything: import,
connection, retries and the last byte.
"""

import contextlib
import itertools
import queue
import random
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shammah.catalog import Price
from shammah.claude_messages import request_of
from shammah.config import TeacherSettings
from shammah.errors import ConfigError, Interrupted, KeyMissing, TeacherError
from shammah.generation import Chunk, End, Finish, Sampling, Stop, ToolCall, never
from shammah.tool_calls import Blocks
from shammah.tool_text import written
from shammah_convert.chat import Message

if TYPE_CHECKING:
    import anthropic

KEY_VARIABLE = "ANTHROPIC_API_KEY"
URL_VARIABLE = "ANTHROPIC_BASE_URL"
OFFICIAL_URL = "https://api.anthropic.com"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
TICK_SECONDS = 0.05
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8.0
# The local model waits to step in: a server that says "later" is asked four times, one that says nothing twice.
MOST_CALLS = 4
MOST_CALLS_UNHEARD = 2
RETRIED_STATUSES = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
# What an error event says when the status line has said 200 already.
RETRIED_EVENTS = frozenset({"api_error", "overloaded_error", "rate_limit_error", "timeout_error"})
# Of httpx or httpx2, whichever the SDK stands on.
CUTS = frozenset({"ReadError", "RemoteProtocolError"})
# Anthropic's tokens are one UTF-8 byte or longer; the frame of a message takes a few more.
FRAME_TOKENS = 16

_FINISHES = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "refusal": Finish.REFUSAL,
    "tool_use": Finish.TOOL,
}


@dataclass(frozen=True, slots=True)
class Access:
    """Where the teacher is and how it is opened; both come from the environment or the configuration."""

    key: str
    url: str

    @classmethod
    def find(cls, settings: TeacherSettings, environ: Mapping[str, str]) -> "Access | None":
        """Look for a key; None where there is none.

        Raises:
            ConfigError: The base URL is neither https nor loopback.
        """
        key = environ.get(KEY_VARIABLE, "").strip()
        if not key:
            return None
        url = settings.base_url or environ.get(URL_VARIABLE, "").strip() or OFFICIAL_URL
        if not _may_carry_a_prompt(url):
            raise ConfigError(f"the teacher's base URL is {url!r}", hint="It takes an https URL, or http on loopback.")
        return cls(key, url)


def _may_carry_a_prompt(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:  # an open bracket
        return False
    is_private = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    return is_private and bool(parts.hostname)


def most_tokens(messages: Sequence[Message]) -> int:
    """An upper bound of the prompt's tokens, counted without asking anyone."""
    return sum(len(message.content.encode("utf-8", "replace")) + FRAME_TOKENS for message in messages)


class Teacher:
    """Streams Claude's answer under one deadline, with one retry loop."""

    def __init__(self, access: Access, settings: TeacherSettings, price: Price | None) -> None:
        self.model = settings.model
        self._access = access
        self._settings = settings
        self._price = price

    def stream(self, messages: Sequence[Message], sampling: Sampling, stop: Stop = never) -> Iterator[Chunk]:
        """Complete a conversation; temperature and seed do not apply. Without a toolbox, calls are a part of the text.

        A call that fails before its first text is tried again, a few times and while the deadline allows.

        Raises:
            TeacherError: No whole answer came: refused, unreachable, late, cut, or garbage.
        """
        deadline = time.monotonic() + self._settings.deadline_seconds
        pause = FIRST_PAUSE_SECONDS
        for number in itertools.count(1):
            call = _Call(self._access, self._request(messages, sampling), deadline - time.monotonic())
            try:
                chunks = self._read(call, deadline, stop)
                yield from chunks if sampling.toolbox else written(chunks)
                return
            except _Retryable as error:
                pause_seconds = max(pause * random.uniform(0.75, 1.25), error.after_seconds)
                if number == error.most_calls or time.monotonic() + pause_seconds >= deadline:
                    raise error.cause from error.__cause__
                _sleep(pause_seconds, stop)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            finally:
                call.abandon()

    def _request(self, messages: Sequence[Message], sampling: Sampling) -> dict[str, Any]:
        return {"model": self.model, **request_of(messages, sampling)}

    def _read(self, call: "_Call", deadline: float, stop: Stop) -> Iterator[Chunk]:
        """Pass on what the call's thread reads, until the end, the deadline or a stop."""
        has_text = False
        while True:
            if stop():
                yield Chunk(end=call.end(Finish.INTERRUPTED, self._price))
                return
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TeacherError(f"Claude gave no whole answer within {self._settings.deadline_seconds:g} s")
            match call.next(min(TICK_SECONDS, remaining)):
                case Finish() as finish:  # before str, which it is a kind of
                    yield Chunk(end=call.end(finish, self._price))
                    return
                case str() as text:
                    has_text = True
                    yield Chunk(text)
                case ToolCall() as call_of_tool:
                    has_text = True
                    yield Chunk(call=call_of_tool)
                case Exception() as error:
                    raise _translate(error, has_text, call.is_accepted) from error


class _Retryable(Exception):
    """The call may succeed when it is made again."""

    def __init__(self, cause: TeacherError, after_seconds: float, most_calls: int) -> None:
        super().__init__(str(cause))
        self.most_calls = most_calls
        self.cause = cause
        self.after_seconds = after_seconds


class _Broken(Exception):
    """The stream ended before the answer did."""


class _Call:
    """One request, read by a thread of its own that nobody waits for when it is abandoned."""

    def __init__(self, access: Access, request: Mapping[str, Any], timeout_seconds: float) -> None:
        self._access = access
        self._request = request
        self._timeout_seconds = timeout_seconds
        self._events: queue.SimpleQueue[str | ToolCall | Finish | Exception] = queue.SimpleQueue()
        self._is_abandoned = threading.Event()
        self._stream: anthropic.Stream[anthropic.types.RawMessageStreamEvent] | None = None
        self._prompt_tokens = 0
        self._stop_text = ""
        self.is_accepted = False
        self._completion_tokens = 0
        threading.Thread(target=self._run, name="teacher", daemon=True).start()

    def next(self, timeout_seconds: float) -> str | ToolCall | Finish | Exception | None:
        """A piece of text, a call of a tool, the finish, or what went wrong; None where nothing came in time."""
        try:
            return self._events.get(timeout=timeout_seconds)
        except queue.Empty:
            return None

    def end(self, finish: Finish, price: Price | None) -> End:
        """The end record, with what was used and what it costs."""
        # What an interrupted answer cost is not known: its last event, with the tokens, never came.
        cost = None
        if price is not None and finish is not Finish.INTERRUPTED:
            cost = price.cost_usd(self._prompt_tokens, self._completion_tokens)
        return End(finish, self._prompt_tokens, self._completion_tokens, cost, stop_text=self._stop_text)

    def abandon(self) -> None:
        """Hang up, so that Claude stops writing and the thread ends, however the server drips or stalls."""
        self._is_abandoned.set()
        if self._stream is not None:
            _hang_up(self._stream)

    def _run(self) -> None:
        try:
            self._events.put(self._converse())
        except Exception as error:  # everything that the wire can do to the SDK; translated where it is read
            self._events.put(error)

    def _converse(self) -> Finish:
        import anthropic  # 0.9 s: only a question that is forwarded pays for it

        # A redirect would carry the prompt to an address that nobody chose.
        http = anthropic.DefaultHttpxClient(follow_redirects=False)
        with (
            anthropic.Anthropic(
                api_key=self._access.key,
                base_url=self._access.url,
                timeout=self._timeout_seconds,
                max_retries=0,
                http_client=http,
            ) as client,
            client.messages.create(**self._request, stream=True) as stream,
        ):
            self._stream = stream
            if self._is_abandoned.is_set():  # too early for `abandon` to see the stream
                return Finish.INTERRUPTED
            return self._finish_of(stream)

    def _finish_of(self, stream: "anthropic.Stream[anthropic.types.RawMessageStreamEvent]") -> Finish:
        has_begun, is_complete, stop_reason = False, False, None
        blocks = Blocks()
        for event in stream:
            if self._is_abandoned.is_set():
                break
            match event.type:
                case "message_start":
                    has_begun = True
                    self.is_accepted = True
                    self._prompt_tokens = int(event.message.usage.input_tokens)
                case "content_block_start" | "content_block_delta" | "content_block_stop":
                    for said in blocks.hear(event):
                        self._events.put(said)
                case "message_delta":
                    stop_reason = event.delta.stop_reason
                    self._stop_text = event.delta.stop_sequence or ""
                    self._completion_tokens = int(event.usage.output_tokens)
                case "message_stop":
                    is_complete = True
        if not has_begun:
            raise EOFError("no event came")
        if not is_complete or stop_reason is None:
            raise _Broken("the stream ended before the answer did")
        return _FINISHES.get(stop_reason, Finish.CUT)


def _hang_up(stream: "anthropic.Stream[anthropic.types.RawMessageStreamEvent]") -> None:
    """End a connection that another thread reads from: closing it would not wake that thread, this does."""
    network = stream.response.extensions.get("network_stream")
    connection = network.get_extra_info("socket") if network else None
    with contextlib.suppress(OSError):  # it is closed already
        if isinstance(connection, socket.socket):
            # Not SSLSocket's own, which also drops the state that the other thread is using.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _translate(error: Exception, has_text: bool, is_accepted: bool) -> Exception:
    """Turn what the wire did into our errors, with the reason in plain words.

    A call that was accepted is paid for, so it is made again only where the server itself says that it failed.
    """
    import anthropic

    if isinstance(error, anthropic.APIStatusError):
        return _translate_status(error, may_retry=not has_text)
    if isinstance(error, anthropic.APITimeoutError):
        cause = TeacherError("Claude did not answer in time")
    elif isinstance(error, anthropic.APIConnectionError):
        cause = TeacherError("Claude cannot be reached", hint="Check the network, or ask with --local.")
    elif isinstance(error, _Broken) or type(error).__name__ in CUTS:
        cause = TeacherError("Claude's answer was cut off")
    else:
        # Bad JSON and pages of a proxy surface as a dozen foreign exceptions.
        cause = TeacherError(
            f"what came back is not Claude's API ({type(error).__name__}: {error})",
            hint="A proxy or a login page may stand between; check the network and the base URL.",
        )
    cause.is_free = not is_accepted and not isinstance(error, anthropic.APITimeoutError)
    return cause if is_accepted else _Retryable(cause, 0.0, MOST_CALLS_UNHEARD)


def _translate_status(error: "anthropic.APIStatusError", may_retry: bool) -> Exception:
    status, (kind, text) = error.status_code, _words_of(error)
    if status in (401, 403):
        return KeyMissing(f"Claude refused the key: {text}", hint="Check ANTHROPIC_API_KEY, or ask with --local.")
    if 300 <= status < 400:
        return TeacherError("the teacher's address redirects elsewhere; redirects are not followed")
    said = "broke off" if status == 200 else f"answered with status {status}"
    cause = TeacherError(f"Claude {said}: {text}")
    cause.is_free = status >= 400
    # A spend limit is not lifted by waiting a second.
    is_spent = any(word in text.lower() for word in ("spend", "credit", "billing"))
    may_succeed = status in RETRIED_STATUSES or (status == 200 and kind in RETRIED_EVENTS)
    if not may_retry or is_spent or not may_succeed:
        return cause
    return _Retryable(cause, _retry_after_seconds(error.response.headers.get("retry-after")), MOST_CALLS)


def _words_of(error: "anthropic.APIStatusError") -> tuple[str, str]:
    """The server's own `{"error": {"type": ..., "message": ...}}`, or no type and the start of whatever came."""
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        return str(body["error"].get("type", "")), str(body["error"].get("message", ""))[:300]
    return "", " ".join(str(error.message).split())[:300]


def _retry_after_seconds(header: str | None) -> float:
    try:
        return max(0.0, float(header or 0))
    except ValueError:
        return 0.0  # an HTTP date; our own pause serves


def _sleep(seconds: float, stop: Stop) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if stop():
            raise Interrupted("interrupted while waiting to ask Claude again")
        time.sleep(min(TICK_SECONDS, max(0.0, end - time.monotonic())))
