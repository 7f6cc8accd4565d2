"""Who is not let in at the daemon's port, drawn from tables, where neither model nor database can be had."""

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message

from shammah import config
from shammah.records.bases import Base
from shammah.serve import doors
from shammah.serve.house import House
from shammah.serve.remote import Engine
from shammah.serve.routes import table
from shammah.serve.token import token_of
from shammah.settings import Settings
from tests.faults.promise import Promise, Trials

Headers = dict[str, str]
WORK = (503, 500)
"""Without a model, and without a database."""

HOSTS = (
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "169.254.169.254",
    "",
    "[::1",
    "a@localhost",
)
ORIGINS = (
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:1"},
    {"origin": "http://localhost.evil.example"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
)
KEYS: tuple[Headers, ...] = (
    {},
    {"authorization": "Bearer "},
    {"authorization": "Bearer x"},
    {"authorization": "Basic {token}"},
    {"authorization": "{token}"},
    {"x-api-key": "x"},
    {"authorization": "Bearer {token}x"},
    {"authorization": "Bearer {half}"},
)
KINDS: tuple[Headers, ...] = (
    {"content-type": ""},
    {"content-type": "text/plain"},
    {"content-type": "application/x-www-form-urlencoded"},
    {"content-type": "multipart/form-data; boundary=x"},
    {"content-encoding": "gzip"},
)
SIZES: tuple[Headers, ...] = ({"content-length": "999999999"}, {"content-length": "-1"}, {"content-length": "1e3"})
BODIES = (
    b"",
    b"{",
    b"[]",
    b"1",
    b"null",
    b"\xff\xfe",
    b'{"model": NaN}',
    b'{"a": "\\ud800"}',
    b"[" * 100_000,
    b'{"model": 1}',
    b'{"model": "shammah", "messages": "x"}',
    b'{"model": "shammah", "messages": []}',
    b'{"model": "shammah", "messages": [{"role": "nobody", "content": "x"}]}',
    b'{"model": "shammah", "messages": [{"role": "user", "content": "x"}], "max_tokens": "many"}',
    b'{"id": 1}',
    b'{"nonsense": true}',
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request, and the statuses with which it may be refused."""

    method: str
    path: str
    headers: Headers
    body: bytes
    statuses: frozenset[int]


def refusals(trials: Trials) -> str:
    """Send what is to be refused, to every path; nobody may look for the model or the database."""
    house = _house(trials.folder)
    app, chance, seen = doors.app(house), random.Random(trials.seed), Counter[int]()
    paths = [(method, route.path) for route in table(house) for method in sorted(route.methods or ())]
    _see_that_work_would_be_seen(app, house)
    for _ in range(trials.count):
        sent = _drawn(chance, paths, token_of(house.home))
        status = asyncio.run(_status(app, sent))
        assert status in sent.statuses, f"{status} for {sent}"
        seen[status] += 1
    return ", ".join(f"{count:,} x {status}" for status, count in sorted(seen.items()))


def _house(home: Path) -> House:
    """A house without a model, whose database is none: whoever looks for one fails, and is seen."""
    (home / "shammah.db").mkdir()
    return House(config.load({config.HOME_VARIABLE: str(home)}), _no_engine)


def _no_engine(_: Settings, base: Base) -> Engine:
    raise AssertionError(f"{base.name} was opened")


def _see_that_work_would_be_seen(app: ASGIApp, house: House) -> None:
    """The control: what is let in comes as far as the database, or the model."""
    key, talk = {"authorization": f"Bearer {token_of(house.home)}"}, [{"role": "user", "content": "x"}]
    chat = json.dumps({"model": "shammah", "messages": talk}).encode()
    for method, path, body in (("GET", "/stats", b""), ("POST", "/v1/chat/completions", chat)):
        sent = Sent(method, path, _GOOD | key, body, frozenset())
        assert asyncio.run(_status(app, sent)) in WORK, f"{path} was to fail"


_GOOD = {"host": "127.0.0.1:11435", "content-type": "application/json"}


def _drawn(chance: random.Random, paths: list[tuple[str, str]], token: str) -> Sent:
    """A request with at least one thing wrong."""
    method, path = chance.choice(paths)
    path = path.replace("{name}", "query_local_model").replace("{id}", "shammah")
    headers = _GOOD | {"authorization": f"Bearer {token}"}
    has_body, is_open = method == "POST", path == "/health"
    wrong = chance.choice(["host", "origin", *([] if is_open else ["key"]), "size", *(["kind", "body"] * has_body)])
    body = chance.choice(BODIES) if has_body else b""
    match wrong:
        case "host":
            return Sent(method, path, headers | {"host": chance.choice(HOSTS)}, body, frozenset({421}))
        case "origin":
            return Sent(method, path, headers | chance.choice(ORIGINS), body, frozenset({403}))
        case "key":
            key = {name: text.format(token=token, half=token[:-1]) for name, text in chance.choice(KEYS).items()}
            return Sent(method, path, _GOOD | key, body, frozenset({401}))
        case "size":
            return Sent(method, path, headers | chance.choice(SIZES), body, frozenset({413}))
        case "kind":
            return Sent(method, path, headers | chance.choice(KINDS), body, frozenset({415}))
        case _:
            return Sent(method, path, headers, body, frozenset({400, 404, 422}))


async def _status(app: ASGIApp, sent: Sent) -> int:
    """The status with which a request is answered; its body comes in two parts."""
    found: list[int] = []
    parts: list[Message] = [
        {"type": "http.request", "body": sent.body[:9], "more_body": True},
        {"type": "http.request", "body": sent.body[9:], "more_body": False},
    ]

    async def receive() -> Message:
        if not parts:
            await asyncio.Event().wait()  # who sent it waits for the answer
        return parts.pop(0)

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])

    headers = [(name.encode(), value.encode()) for name, value in sent.headers.items() if value]
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": sent.method,
        "path": sent.path,
        "raw_path": sent.path.encode(),
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
        "headers": headers,
    }
    await app(scope, receive, send)
    return found[0]


REFUSALS = Promise(
    name="refusals",
    part="Daemon",
    claim="Requests with a Host, Origin, token, size, kind or body that is not right are refused at every path, before "
    "the model or the database is looked for.",
    unit="requests",
    full=20_000,
    check=refusals,
)
