"""Who is let in at the port: decided from a request's head alone, before anything of it is done.

A page in the user's browser can send requests to loopback, and a name of the page's owner may point there (DNS
rebinding): hence Host, Origin and the token. No answer ever has a CORS header.
"""

import asyncio
import contextlib
import hmac
import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
OPEN_PATHS = frozenset({"/health"})
BODY_SECONDS = 30.0
TOO_LARGE, DRAINED = 413, 8
_NOT_IN_A_HOST = frozenset("/@?#\\")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a request has to bring.

    Attributes:
        token: The bearer token; empty lets any key in.
        names: What the Host header may call us.
        takes_addresses: A numeric address in the Host header will do: it needs no name that somebody could point here.
        body_seconds: So long a body may take.
    """

    token: str
    names: frozenset[str] = LOOPBACK_NAMES
    takes_addresses: bool = False
    max_body_bytes: int = 8 * 2**20
    body_seconds: float = BODY_SECONDS


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not heard: a status, the kind that API clients know, and a sentence."""

    status: int
    kind: str
    why: str


def refusal(method: str, path: str, headers: Headers, rules: Rules) -> Refusal | None:
    """Why a request is refused; None where it may come in."""
    found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
    host = found.get("host", "")
    if not _is_ours(host, rules):
        return Refusal(421, "permission_error", f"{host!r} is no name of this server (serve.names adds some)")
    if not _is_same_origin(found, host):
        return Refusal(403, "permission_error", "pages of other origins are not let in")
    if path not in OPEN_PATHS and not _has_token(found, rules.token):
        return Refusal(401, "authentication_error", "the bearer token is missing or wrong; it is in serve-token")
    return _body_refusal(method, found, rules)


def _body_refusal(method: str, found: Mapping[str, str], rules: Rules) -> Refusal | None:
    if method in _WITH_BODY:
        kind = found.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" or found.get("content-encoding", "identity").lower() != "identity":
            return Refusal(415, "invalid_request_error", "the body has to be plain application/json")
    length = found.get("content-length", "0")
    if not length.isdecimal() or int(length) > rules.max_body_bytes:
        return _too_large(rules)
    return None


def _too_large(rules: Rules) -> Refusal:
    return Refusal(
        TOO_LARGE, "request_too_large", f"the body may have {rules.max_body_bytes:,} bytes (serve.max_body_mb)"
    )


def _is_ours(host: str, rules: Rules) -> bool:
    if not _NOT_IN_A_HOST.isdisjoint(host):  # what a URL may have beside its host
        return False
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:  # an open bracket
        return False
    return name in rules.names or (rules.takes_addresses and is_address(name))


def is_address(name: str) -> bool:
    """Whether a host is a numeric address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_same_origin(found: Mapping[str, str], host: str) -> bool:
    """What no browser sent has no origin; what our own page sent has ours."""
    if found.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return False
    origin = found.get("origin")
    return origin is None or origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower())


def _has_token(found: Mapping[str, str], token: str) -> bool:
    if not token:
        return True
    scheme, _, given = found.get("authorization", "").partition(" ")
    keys = [given.strip()] if scheme.lower() == "bearer" else []
    keys.append(found.get("x-api-key", ""))
    return any(hmac.compare_digest(key.encode(), token.encode()) for key in keys)


class Guard:
    """Lets in what the rules allow, with its body whole."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        refused = refusal(scope["method"], scope["path"], scope["headers"], self._rules)
        if refused is not None:
            if refused.status == TOO_LARGE:
                await self._drain(receive)
            await refuse(send, refused)
            return
        body = await self._body(receive)
        if isinstance(body, Refusal):
            await refuse(send, body)
        elif body is not None:
            await self._app(scope, _replayed(body, receive), send)

    async def _drain(self, receive: Receive) -> None:
        """Drop a body that is too large, as far as that is no burden: who still sends would not read the refusal."""
        size = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._rules.body_seconds):
                while size < DRAINED * self._rules.max_body_bytes:
                    message = await receive()
                    size += len(message.get("body", b""))
                    if message["type"] == "http.disconnect" or not message.get("more_body", False):
                        return

    async def _body(self, receive: Receive) -> bytes | Refusal | None:
        """The whole body in time; None where its sender went away."""
        parts, size = list[bytes](), 0
        try:
            async with asyncio.timeout(self._rules.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > self._rules.max_body_bytes:
                        return _too_large(self._rules)
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            return Refusal(408, "timeout_error", f"the body took more than {self._rules.body_seconds:g} s")


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A receiver that gives the body first, and then what else comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


async def refuse(send: Send, refused: Refusal) -> None:
    """Answer with an error in the shape that clients of both APIs read, and end the connection."""
    error = {"type": refused.kind, "message": refused.why, "param": None, "code": None}
    body = json.dumps({"type": "error", "error": error}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),  # the rest of what comes is not read
    ]
    if refused.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if refused.status == 503:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
