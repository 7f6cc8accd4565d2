"""Who is let in at the daemon's port: decided from a request's head."""

import asyncio
from collections.abc import Mapping

import pytest
from starlette.types import Message, Receive, Scope, Send

from shammah.serve.guard import LOOPBACK_NAMES, Guard, Rules, refusal

RULES = Rules("the-token", LOOPBACK_NAMES | {"shammah.lan"}, max_body_bytes=100, body_seconds=0.05)
KEY = {"authorization": "Bearer the-token"}
JSON = {"content-type": "application/json"}


def status(
    headers: Mapping[str, str] | None = None, method: str = "GET", path: str = "/stats", rules: Rules = RULES
) -> int:
    """What a request is refused with; 200 where it may come in."""
    given = {"host": "127.0.0.1:11435"} | KEY | dict(headers or {})
    rows = [(name.encode(), value.encode()) for name, value in given.items() if value]
    found = refusal(method, path, rows, rules)
    return found.status if found else 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:11435", 200),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("localhost.:1", 200),
        ("[::1]:11435", 200),
        ("shammah.lan:11435", 200),
        ("evil.example:11435", 421),
        ("localhost.evil.example", 421),
        ("192.168.1.7:11435", 421),
        ("user@localhost.evil", 421),
        ("evil.example@localhost", 421),
        ("localhost/evil.example", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
def test_a_name_that_is_not_ours_may_point_here_and_is_refused(host: str, expected: int) -> None:
    assert status({"host": host}) == expected


def test_an_open_address_is_reached_by_its_numbers_but_by_no_name_that_was_not_given() -> None:
    open_to_others = Rules("the-token", LOOPBACK_NAMES, takes_addresses=True)
    assert status({"host": "192.168.1.7:11435"}, rules=open_to_others) == 200
    assert status({"host": "rebound.example"}, rules=open_to_others) == 421


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"origin": "http://127.0.0.1:11435"}, 200),
        ({"origin": "http://127.0.0.1:8080"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
def test_pages_of_other_origins_are_not_let_in(headers: dict[str, str], expected: int) -> None:
    assert status(headers) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (KEY, 200),
        ({"authorization": "", "x-api-key": "the-token"}, 200),
        ({"authorization": "bearer the-token"}, 200),
        ({"authorization": "Bearer the-toke"}, 401),
        ({"authorization": "Bearer "}, 401),
        ({"authorization": "Basic the-token"}, 401),
        ({"authorization": ""}, 401),
        ({"authorization": "", "x-api-key": "other"}, 401),
        ({"authorization": "Bearer t\u00f6ken"}, 401),
    ],
)
def test_without_the_token_nobody_is_let_in(headers: dict[str, str], expected: int) -> None:
    assert status(headers) == expected


def test_any_key_lets_everybody_in_only_where_the_user_says_so() -> None:
    assert status({"authorization": "Bearer sk-anything"}, rules=Rules("")) == 200
    assert status({"authorization": ""}, rules=Rules("")) == 200


def test_health_takes_no_token_but_our_name() -> None:
    assert status({"authorization": ""}, path="/health") == 200
    assert status({"authorization": "", "host": "evil.example"}, path="/health") == 421


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (JSON, 200),
        ({"content-type": "Application/JSON; charset=utf-8"}, 200),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({}, 415),
        (JSON | {"content-encoding": "gzip"}, 415),
        (JSON | {"content-length": "100"}, 200),
        (JSON | {"content-length": "101"}, 413),
        (JSON | {"content-length": "ten"}, 413),
    ],
)
def test_a_body_is_json_and_of_a_bounded_size(headers: dict[str, str], expected: int) -> None:
    assert status(headers, "POST", "/feedback") == expected


def through(parts: list[Message]) -> tuple[int, bytes]:
    """The status and body with which a guarded echo answers a body that comes in parts, and then no more."""
    sent: list[Message] = []

    async def echo(_: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": message["body"]})

    async def receive() -> Message:
        if not parts:
            await asyncio.sleep(60)
        return parts.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    names = {"host": "localhost", "content-type": "application/json"} | KEY
    headers = [(name.encode(), value.encode()) for name, value in names.items()]
    asyncio.run(Guard(echo, RULES)({"type": "http", "method": "POST", "path": "/x", "headers": headers}, receive, send))
    return sent[0]["status"], sent[1]["body"]


def part(body: bytes, is_last: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": not is_last}


def test_a_body_in_parts_comes_in_whole() -> None:
    assert through([part(b"{"), part(b"}", is_last=True)]) == (200, b"{}")


def test_a_body_that_does_not_say_its_size_is_cut_off_at_the_bound() -> None:
    assert through([part(b"x" * 60), part(b"x" * 60)])[0] == 413


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    assert through([part(b"{")])[0] == 408
