"""What is tried again of a call to the teacher, and what is not."""

import time

import pytest

from shammah.errors import KeyMissing, TeacherError
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer, BadJson, Behaviour, CutClean, CutDirty, ErrorEvent, Garbage, Redirect, Status
from tests.teachers import GRACE_SECONDS, LIMITED, OVERLOADED, SHORT_SECONDS, ask, warm_sdk_in_a_plain_environment

__all__ = ["warm_sdk_in_a_plain_environment"]

# --- tried again ---


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(LIMITED, id="429"),
        pytest.param(Status(429, "rate_limit_error", "Slow down", {"retry-after": "0"}), id="429-retry-after"),
        pytest.param(
            Status(429, "rate_limit_error", "Slow down", {"retry-after": "Wed, 21 Oct 2099 07:28:00 GMT"}),
            id="429-retry-after-date",
        ),
        pytest.param(OVERLOADED, id="529"),
        pytest.param(Status(503, "api_error", "<html>upstream</html>"), id="503"),
        pytest.param(ErrorEvent(), id="error-event"),
        pytest.param(Garbage(), id="garbage"),
    ],
)
def test_trouble_before_the_first_text_is_tried_again(trouble: Behaviour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shammah.teacher.asking.FIRST_PAUSE_SECONDS", 0.01)
    with AnthropicServer([trouble, Answer("use ls")]) as server:
        assert ask(server).text == "use ls"
        assert len(server.requests) == 2


@pytest.mark.parametrize("trouble", [CutClean(), CutDirty(), BadJson()])
def test_a_call_that_was_accepted_is_paid_for_and_not_made_again(trouble: Behaviour) -> None:
    with AnthropicServer([trouble, Answer("use ls")]) as server:
        with pytest.raises(TeacherError) as caught:
            ask(server)
        assert len(server.requests) == 1
    assert not caught.value.is_free


@pytest.mark.parametrize("trouble", [OVERLOADED, Status(400, "invalid_request_error", "no"), Garbage()])
def test_a_call_that_was_refused_is_free(trouble: Behaviour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shammah.teacher.asking.FIRST_PAUSE_SECONDS", 0.01)
    with AnthropicServer([trouble]) as server:
        with pytest.raises(TeacherError) as caught:
            ask(server)
        assert len(server.requests) <= 4, "the local model waits to step in"
    assert caught.value.is_free


def test_a_retry_after_is_waited_for() -> None:
    with AnthropicServer([Status(429, "rate_limit_error", "Slow", {"retry-after": "1.2"}), Answer("ls")]) as server:
        start = time.monotonic()
        ask(server)
        assert time.monotonic() - start >= 1.2


def test_a_retry_after_beyond_the_deadline_is_not_waited_for() -> None:
    with AnthropicServer([Status(429, "rate_limit_error", "Slow down", {"retry-after": "90"})]) as server:
        start = time.monotonic()
        with pytest.raises(TeacherError, match="429: Slow down"):
            ask(server, deadline_seconds=SHORT_SECONDS)
        assert time.monotonic() - start < SHORT_SECONDS + GRACE_SECONDS
        assert len(server.requests) == 1


def test_a_server_that_fails_for_ever_is_asked_four_times_and_ends_in_its_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shammah.teacher.asking.FIRST_PAUSE_SECONDS", 0.01)
    with AnthropicServer([Status(500, "api_error", "Internal server error")]) as server:
        with pytest.raises(TeacherError, match="500: Internal server error"):
            ask(server, deadline_seconds=30.0)
        assert len(server.requests) == 4


def test_a_server_that_nobody_runs_cannot_be_reached() -> None:
    with AnthropicServer([Answer("gone")]) as server:
        pass
    with pytest.raises(TeacherError, match="cannot be reached"):
        ask(server)


# --- not tried again ---


@pytest.mark.parametrize(
    ("status", "words"),
    [
        pytest.param(Status(400, "invalid_request_error", "prompt is too long"), "prompt is too long", id="400"),
        pytest.param(Status(404, "not_found_error", "model: claude-none"), "claude-none", id="404"),
        pytest.param(Status(413, "request_too_large", "Request too large"), "413", id="413"),
        pytest.param(
            Status(429, "rate_limit_error", "You have reached your specified API spend limit."),
            "spend limit",
            id="spend-limit",
        ),
        pytest.param(Status(429, "rate_limit_error", "Your credit balance is too low"), "credit balance", id="credit"),
    ],
)
def test_what_cannot_succeed_is_not_tried_again(status: Status, words: str) -> None:
    with AnthropicServer([status, Answer("use ls")]) as server:
        with pytest.raises(TeacherError, match=words):
            ask(server)
        assert len(server.requests) == 1


@pytest.mark.parametrize("code", [401, 403])
def test_a_refused_key_is_said_so_and_not_tried_again(code: int) -> None:
    refusal = Status(code, "authentication_error", "invalid x-api-key")
    with AnthropicServer([refusal, Answer("use ls")]) as server:
        with pytest.raises(KeyMissing, match="invalid x-api-key") as caught:
            ask(server)
        assert len(server.requests) == 1
    assert "ANTHROPIC_API_KEY" in caught.value.hint


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        pytest.param(CutClean("use l"), "cut off", id="clean-cut"),
        pytest.param(CutDirty("use l"), "cut off", id="dirty-cut"),
        pytest.param(BadJson("use l"), "JSONDecodeError", id="bad-json"),
        pytest.param(ErrorEvent("use l"), "broke off: Overloaded", id="error-event"),
    ],
)
def test_trouble_after_the_first_text_is_an_error_and_not_tried_again(trouble: Behaviour, words: str) -> None:
    shown: list[str] = []
    with AnthropicServer([trouble, Answer("use ls")]) as server:
        with pytest.raises(TeacherError, match=words):
            ask(server, show=shown.append)
        assert len(server.requests) == 1
    assert shown == ["use l"]


def test_a_page_that_is_not_the_api_is_named_as_such() -> None:
    with AnthropicServer([Garbage()]) as server, pytest.raises(TeacherError, match="not Claude's API"):
        ask(server)


def test_an_error_event_that_cannot_succeed_is_not_tried_again() -> None:
    refusal = ErrorEvent(error_type="invalid_request_error", message="no")
    with AnthropicServer([refusal, Answer("use ls")]) as server:
        with pytest.raises(TeacherError, match="broke off: no"):
            ask(server)
        assert len(server.requests) == 1


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(code: int) -> None:
    with AnthropicServer([Answer("stolen")]) as other, AnthropicServer([Redirect(other.url, code)]) as server:
        with pytest.raises(TeacherError, match="redirect"):
            ask(server)
        assert (len(server.requests), len(other.requests)) == (1, 0)
