"""The one file that asks servers of OpenAI's API over HTTP."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shammah.calls import Broken, Call, Failed, Late, Line
from shammah.compatible.events import NoEvents, Reading, data_of
from shammah.generation import Finish, never
from shammah.proxies import mounts

if TYPE_CHECKING:
    import httpx2

LONGEST_REPLY = 1 << 24
LONGEST_REFUSAL = 1 << 16


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server is: the base URL of its API, and the key that it wants; empty for none."""

    url: str
    key: str = ""

    def at(self, path: str) -> str:
        """A path below the base URL."""
        return f"{self.url.rstrip('/')}/{path}"

    @property
    def root(self) -> str:
        """The server's own root, where what is no part of OpenAI's API lies."""
        return self.url.rstrip("/").removesuffix("/v1")


class Refused(Exception):
    """The server answered with a status that is none of success.

    Attributes:
        body: Its JSON, or the text that came.
    """

    def __init__(self, status: int, body: Any, retry_after: str | None = None) -> None:
        super().__init__(f"status {status}: {str(body)[:300]}")
        self.status = status
        self.body = body
        self.retry_after = retry_after


class Unreachable(Exception):
    """Nobody answers there."""


def converse(endpoint: Endpoint, body: Mapping[str, Any], timeout_seconds: float, line: Line) -> Finish:
    """Ask for a chat completion, and say to the line what comes.

    Raises:
        Refused, Unreachable, NoEvents, ErrorEvent, Broken: By what the server does; httpx's own where it cuts.
    """
    with (
        _client(endpoint, timeout_seconds, line) as client,
        _reached(),
        client.stream("POST", endpoint.at("chat/completions"), **_as_json(dict(body))) as response,
    ):
        if line.is_abandoned:
            return Finish.INTERRUPTED
        _check(response)
        return _finish_of(response, line)


def request(
    endpoint: Endpoint, method: str, url: str, body: Any = None, timeout_seconds: float = 30.0, is_json: bool = True
) -> Any:
    """What a server answers within a time, as JSON, or as the text that it is.

    Raises:
        Refused, Unreachable, NoEvents: By what it does.
    """
    said: list[str] = []

    def converse(line: Line) -> Finish:
        said.append(_text_of(endpoint, method, url, body, timeout_seconds, line))
        return Finish.STOP

    call = Call(converse, "asking a server")
    try:
        list(call.listen(never, time.monotonic() + timeout_seconds))
    except Late:
        raise Unreachable(f"it did not answer within {timeout_seconds:g} s") from None
    except Failed as failed:
        raise failed.cause from failed.cause.__cause__
    finally:
        call.line.abandon()
    try:
        return json.loads(said[0]) if is_json else said[0]
    except (ValueError, RecursionError) as error:
        raise NoEvents(f"{url} answers with no JSON") from error


def _text_of(endpoint: Endpoint, method: str, url: str, body: Any, timeout_seconds: float, line: Line) -> str:
    import httpx2

    sent = {} if body is None else _as_json(body)
    try:
        with _client(endpoint, timeout_seconds, line) as client, client.stream(method, url, **sent) as response:
            _check(response)
            return _bounded(response, LONGEST_REPLY)
    except httpx2.HTTPError as error:
        raise Unreachable(str(error)) from error


def _as_json(body: Any) -> dict[str, Any]:
    """A body as the client takes it: in ASCII, so that half a surrogate pair, which a prompt may hold, can be sent."""
    return {"content": json.dumps(body).encode(), "headers": {"Content-Type": "application/json"}}


def _finish_of(response: "httpx2.Response", line: Line) -> Finish:
    reading = Reading()
    for data in data_of(_lines(response)):
        if line.is_abandoned:
            return Finish.INTERRUPTED
        for chunk in reading.read(data):
            line.model = reading.model
            line.say(chunk)
        line.is_accepted = reading.has_begun
        line.stop_text = reading.stop_text
        if reading.finish is not None:
            line.ends(reading.finish)
        if reading.usage is not None:
            line.has_usage, (line.prompt_tokens, line.completion_tokens) = True, reading.usage
        if reading.is_done:
            break
    if not reading.has_begun:
        raise NoEvents("no event came")
    if reading.finish is None:
        raise Broken("the stream ended before the answer did")
    return reading.finish


def _lines(response: "httpx2.Response") -> Iterator[str]:
    """The lines of a body, as they come."""
    held: list[str] = []
    size = 0
    for text in response.iter_text():
        first, *rest = text.split("\n")
        held.append(first)
        size += len(first)
        if rest:
            *whole, last = ["".join(held), *rest]
            yield from (line.removesuffix("\r") for line in whole)
            held, size = [last], len(last)
        if size > LONGEST_REPLY:
            raise NoEvents("a line has no end")
    if size:
        yield "".join(held)


def _check(response: "httpx2.Response") -> None:
    if response.status_code == 200:
        return
    text = _bounded(response, LONGEST_REFUSAL)
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = text
    raise Refused(response.status_code, body, response.headers.get("retry-after"))


def _bounded(response: "httpx2.Response", most: int) -> str:
    text = ""
    for piece in response.iter_text():
        text += piece
        if len(text) > most:
            break
    return text


def _client(endpoint: Endpoint, timeout_seconds: float, line: Line | None = None) -> "httpx2.Client":
    import httpx2  # 0.09 s that only who asks a server pays for

    headers = {"Accept-Encoding": "identity"}
    if endpoint.key:
        headers["Authorization"] = f"Bearer {endpoint.key}"
    # A redirect would carry the prompt to an address that nobody chose.
    return httpx2.Client(
        headers=headers,
        timeout=timeout_seconds,
        follow_redirects=False,
        event_hooks=line.hooks if line else {},
        mounts=mounts(endpoint.url),
    )


@contextmanager
def _reached() -> Iterator[None]:
    import httpx2

    try:
        yield
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
        raise Unreachable(str(error)) from error
