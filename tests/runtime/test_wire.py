"""What only raw bytes can do to a call of the teacher's: replies without an end, compressed ones, proxies, disorder."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from shammah import calls
from shammah.errors import TeacherError
from shammah.generation import Completion, Sampling, collect
from shammah.settings import TeacherSettings
from shammah.teacher import Access, Teacher
from shammah_convert.chat import Message
from tests.faults.wire_faults import HEAD, SAID, WHOLE, Fault, faults, head
from tests.faults.wire_server import Drip, Endless, Read, Step, WireServer

KNOWN = {fault.name: fault for fault in faults()}
PATIENT_SECONDS, SHORT_SECONDS = 30.0, 0.6
PROXIES = [f"{scheme}_proxy" for scheme in ("http", "https", "all", "no")]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, *(name.upper() for name in PROXIES)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("shammah.teacher.asking.FIRST_PAUSE_SECONDS", 0.01)


def ask(url: str, deadline_seconds: float = PATIENT_SECONDS) -> Completion:
    teacher = Teacher(Access("a-key", url), TeacherSettings(deadline_seconds=deadline_seconds), None)
    return collect(teacher.stream([Message("user", "hello?")], Sampling(100)))


def error_of(*steps: Step, deadline_seconds: float = PATIENT_SECONDS) -> TeacherError:
    with WireServer(steps) as server, pytest.raises(TeacherError) as caught:
        ask(server.url, deadline_seconds)
    return caught.value


def wait_until(is_so: Callable[[], bool], timeout_seconds: float = 10.0) -> bool:
    end = time.monotonic() + timeout_seconds
    while not is_so() and time.monotonic() < end:
        time.sleep(0.01)
    return is_so()


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "teacher"]


def test_a_whole_answer_is_read() -> None:
    with WireServer((Read(), *WHOLE)) as server:
        assert ask(server.url).text == SAID


@pytest.mark.parametrize("begun", [b"", HEAD[:14], b"HTTP/1.1 200 OK\r\n"], ids=["nothing", "status", "header"])
def test_a_connection_whose_reply_never_begins_is_hung_up_too(begun: bytes) -> None:
    with WireServer((Read(), begun, Drip(b"x"))) as server:
        with pytest.raises(TeacherError):
            ask(server.url, SHORT_SECONDS)
        assert wait_until(lambda: not readers()), "a thread reads on"


def test_a_reply_without_an_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MOST_BYTES", 1_000_000)
    error = error_of(Read(), HEAD, Endless(b"10000\r\n" + b"x" * 65536 + b"\r\n"))
    assert "TooMuch: more than" in str(error)
    assert wait_until(lambda: not readers()), "a thread reads on"


def test_an_error_page_without_an_end_is_left_at_the_deadline() -> None:
    page = head("500 No", "content-type: text/html", "transfer-encoding: chunked")
    error_of(Read(), page, Drip(b"1\r\nx\r\n"), deadline_seconds=SHORT_SECONDS)
    assert wait_until(lambda: not readers()), "a thread reads on"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("compressed-bomb", "not Claude's API (Packed"),
        ("events-start-twice", "it begins twice"),
        ("events-text-is-a-number", "not Claude's API (TypeError"),
        ("events-tokens-are-words", "not Claude's API (ValueError"),
        ("status-407", "wants a name and a password"),
        ("status-511", "wants you to log in"),
        ("redirect-302", "redirects are not followed"),
    ],
)
def test_it_is_told_what_is_wrong(name: str, words: str) -> None:
    assert words in str(error_of(*KNOWN[name].steps))


def test_what_cannot_be_reached_safely_is_told_so() -> None:
    with WireServer(KNOWN["tls-to-a-plain-port"].steps) as server, pytest.raises(TeacherError) as caught:
        ask(server.url.replace("http:", "https:"))
    assert "cannot be reached safely" in str(caught.value)
    assert "login page" in caught.value.hint


def test_a_proxy_that_refuses_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = head("407 Proxy Authentication Required", "content-length: 0")
    with WireServer((Read(), refusal)) as proxy:
        port = proxy.port
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:hunter2x@127.0.0.1:{port}")
        with pytest.raises(TeacherError) as caught:
            ask("https://api.example.org")
    assert f"the proxy 127.0.0.1:{port} does not let Claude be reached: 407" in str(caught.value)
    assert "HTTPS_PROXY" in caught.value.hint
    assert "hunter2x" not in f"{caught.value} {caught.value.hint}"


def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with pytest.raises(TeacherError, match=r"cannot be reached through the proxy 127\.0\.0\.1:9 \(ALL_PROXY\)"):
        ask("https://api.example.org")


def test_no_proxy_sees_what_goes_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with WireServer((Read(), head("502 No"))) as proxy, WireServer((Read(), *WHOLE)) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert ask(server.url).text == SAID
        assert proxy.requests == 0


def away() -> Iterator[tuple[str, bool]]:
    """Which faults say that the teacher is out of reach, and which that it is there."""
    yield from ((name, True) for name in ("status-529", "status-429", "reset-asked", "captive-portal"))
    yield from ((name, False) for name in ("status-400", "spent-have", "status-407", "redirect-302"))


@pytest.mark.parametrize(("name", "is_away"), list(away()))
def test_an_error_says_whether_the_teacher_is_out_of_reach(name: str, is_away: bool) -> None:
    fault: Fault = KNOWN[name]
    assert error_of(*fault.steps).is_away == is_away
