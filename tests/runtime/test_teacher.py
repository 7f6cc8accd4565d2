"""The teacher through the real SDK, against a real server that behaves well or badly."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from shammah.catalog import Price
from shammah.errors import ConfigError, Interrupted, KeyMissing, TeacherError
from shammah.generation import Chunk, Completion, Finish, Sampling, Stop, collect, never
from shammah.settings import TeacherSettings
from shammah.teacher import Access, Teacher, most_tokens
from shammah_convert.chat import Message
from tests.anthropic_server import (
    Answer,
    AnthropicServer,
    BadJson,
    Behaviour,
    CutClean,
    CutDirty,
    Drip,
    ErrorEvent,
    Garbage,
    Mute,
    Redirect,
    Stall,
    Status,
)

QUESTION = [Message("user", "how do i list files?")]
OVERLOADED = Status(529, "overloaded_error", "Overloaded")
LIMITED = Status(429, "rate_limit_error", "Number of requests has exceeded your rate limit")
# For what should go well: far above what it takes, so that a busy machine is no failure.
PATIENT_SECONDS = 30.0
SHORT_SECONDS = 0.8
GRACE_SECONDS = 0.5


@pytest.fixture(scope="module", autouse=True)
def _warm_sdk_in_a_plain_environment() -> Iterator[None]:
    """No proxy or key of whoever runs the tests plays a part, and no short deadline pays for the import."""
    with pytest.MonkeyPatch.context() as patch:
        for scheme in ("http", "https", "all"):
            patch.delenv(f"{scheme}_proxy", raising=False)
            patch.delenv(f"{scheme}_proxy".upper(), raising=False)
        for name in ("API_KEY", "AUTH_TOKEN", "BASE_URL", "CUSTOM_HEADERS"):
            patch.delenv(f"ANTHROPIC_{name}", raising=False)
        with AnthropicServer([Answer("warm")]) as server:
            ask(server)
        yield


def teacher_at(
    server: AnthropicServer, deadline_seconds: float = PATIENT_SECONDS, price: Price | None = None
) -> Teacher:
    settings = TeacherSettings(model="claude-sonnet-5-5", deadline_seconds=deadline_seconds)
    return Teacher(Access("a-key", server.url), settings, price)


def ask(
    server: AnthropicServer,
    messages: list[Message] = QUESTION,
    deadline_seconds: float = PATIENT_SECONDS,
    show: Callable[[str], None] = lambda _: None,
    stop: Stop = never,
) -> Completion:
    return collect(teacher_at(server, deadline_seconds).stream(messages, Sampling(100), stop), show)


def wait_until(is_so: Callable[[], bool], timeout_seconds: float = 10.0) -> bool:
    end = time.monotonic() + timeout_seconds
    while not is_so() and time.monotonic() < end:
        time.sleep(0.01)
    return is_so()


# --- whole answers ---


def test_a_whole_answer_comes_with_its_use_and_cost() -> None:
    with AnthropicServer([Answer("use ls", input_tokens=1000, output_tokens=200)]) as server:
        teacher = teacher_at(server, price=Price(2.0, 10.0))
        completion = collect(teacher.stream(QUESTION, Sampling(100)))
    assert completion.text == "use ls"
    end = completion.end
    assert (end.finish, end.prompt_tokens, end.completion_tokens) == (Finish.STOP, 1000, 200)
    assert end.cost_usd == pytest.approx(1000 * 2e-6 + 200 * 10e-6)


def test_an_answer_without_a_known_price_has_no_cost() -> None:
    with AnthropicServer([Answer("use ls")]) as server:
        assert ask(server).end.cost_usd is None


def test_the_request_names_the_model_the_key_and_the_longest_answer() -> None:
    with AnthropicServer([Answer("use ls")]) as server:
        ask(server)
        [request] = server.requests
    assert request.body["model"] == "claude-sonnet-5-5"
    assert request.body["max_tokens"] == 100
    assert "a-key" in (request.headers.get("x-api-key"), request.headers["authorization"].removeprefix("Bearer "))


def test_the_request_has_no_sampling_parameter_that_the_api_refuses() -> None:
    with AnthropicServer([Answer("use ls")]) as server:
        collect(teacher_at(server).stream(QUESTION, Sampling(100, temperature=0.7, seed=3)))
        [request] = server.requests
    assert set(request.body) == {"model", "max_tokens", "messages", "stream"}


def test_a_system_message_goes_where_the_api_wants_it() -> None:
    with AnthropicServer([Answer("use ls")]) as server:
        ask(server, [Message("system", "Be brief."), *QUESTION])
        [request] = server.requests
    assert request.body["system"] == "Be brief."
    assert [turn["role"] for turn in request.body["messages"]] == ["user"]


def test_the_whole_conversation_is_sent_in_order() -> None:
    turns = [Message("user", "1 file?"), Message("assistant", "ls 1"), Message("user", "und üben 🙂?")]
    with AnthropicServer([Answer("use ls")]) as server:
        ask(server, turns)
        [request] = server.requests
    assert request.body["messages"] == [{"role": turn.role, "content": turn.content} for turn in turns]


def test_an_empty_turn_which_the_api_would_refuse_is_left_out() -> None:
    with AnthropicServer([Answer("use ls")]) as server:
        completion = ask(server, [Message("user", "hm"), Message("assistant", ""), *QUESTION])
        [request] = server.requests
    assert completion.text == "use ls"
    assert [turn["role"] for turn in request.body["messages"]] == ["user", "user"]


def test_the_first_piece_arrives_before_the_rest_is_written() -> None:
    is_seen = threading.Event()
    with AnthropicServer([Answer("first then", chunks=2, hold=is_seen)]) as server:
        stream = teacher_at(server).stream(QUESTION, Sampling(100))
        first = next(stream).text
        is_seen.set()
        assert (first, collect(stream).text) == ("first", "then")


def test_every_piece_arrives_once_and_in_order() -> None:
    text = "".join(f"{number} ünïcode 🙂\n" for number in range(200))
    shown: list[str] = []
    with AnthropicServer([Answer(text, chunks=500)]) as server:
        ask(server, show=shown.append)
    assert "".join(shown) == text
    assert len(shown) > 400


def test_only_the_last_chunk_has_an_end() -> None:
    with AnthropicServer([Answer("use ls", chunks=3)]) as server:
        chunks = list(teacher_at(server).stream(QUESTION, Sampling(100)))
    assert [chunk.end is not None for chunk in chunks] == [False, False, False, True]


def test_thinking_is_not_shown() -> None:
    with AnthropicServer([Answer("use ls", thinking="the person wants a list")]) as server:
        assert ask(server).text == "use ls"


@pytest.mark.parametrize(
    ("stop_reason", "finish"),
    [
        ("end_turn", Finish.STOP),
        ("stop_sequence", Finish.STOP),
        ("max_tokens", Finish.LENGTH),
        ("model_context_window_exceeded", Finish.LENGTH),
        ("refusal", Finish.REFUSAL),
        ("pause_turn", Finish.CUT),
        ("a_reason_of_tomorrow", Finish.CUT),
    ],
)
def test_the_finish_says_why_the_answer_ended(stop_reason: str, finish: Finish) -> None:
    with AnthropicServer([Answer("use", stop_reason=stop_reason)]) as server:
        assert ask(server).end.finish is finish


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


# --- deadline, stop and connection ---

SILENCES = [
    pytest.param(Mute(), id="mute"),
    pytest.param(Stall(), id="stall"),
    pytest.param(Stall("use l"), id="stall-after-text"),
    pytest.param(Drip(), id="drip"),
    pytest.param(Drip("use l"), id="drip-after-text"),
]


@pytest.mark.parametrize("silence", SILENCES)
def test_a_silent_or_dripping_server_is_left_at_the_deadline(silence: Behaviour) -> None:
    with AnthropicServer([silence]) as server:
        start = time.monotonic()
        with pytest.raises(TeacherError, match=r"in time|within 0\.8 s"):
            ask(server, deadline_seconds=SHORT_SECONDS)
        assert time.monotonic() - start < SHORT_SECONDS + GRACE_SECONDS
        assert wait_until(lambda: server.open_connections == 0), "the connection outlived the call"


@pytest.mark.parametrize("silence", [Stall(), Drip()], ids=["stall", "drip"])
def test_a_stop_ends_the_wait_and_the_connection(silence: Behaviour) -> None:
    with AnthropicServer([silence]) as server:
        completion = ask(server, stop=lambda: bool(server.requests))
        assert (completion.text, completion.end.finish) == ("", Finish.INTERRUPTED)
        assert wait_until(lambda: server.open_connections == 0), "the connection outlived the call"


def test_a_stop_keeps_the_text_that_came() -> None:
    shown: list[str] = []
    with AnthropicServer([Stall("use l")]) as server:
        completion = ask(server, show=shown.append, stop=lambda: bool(shown))
    assert (completion.text, completion.end.finish, completion.end.prompt_tokens) == ("use l", Finish.INTERRUPTED, 12)


def test_a_stop_between_two_tries_is_an_interruption() -> None:
    times_idle = 0

    def stop() -> bool:
        # Its thread gone, the failed call is read before the next time that this is asked.
        nonlocal times_idle
        times_idle += not any(thread.name == "teacher" for thread in threading.enumerate())
        return times_idle > 1

    with AnthropicServer([Status(429, "rate_limit_error", "Slow down", {"retry-after": "20"})]) as server:
        with pytest.raises(Interrupted):
            ask(server, stop=stop)
        assert len(server.requests) == 1


def test_a_reader_that_leaves_early_takes_the_connection_along() -> None:
    with AnthropicServer([Drip("use l")]) as server:
        stream = teacher_at(server).stream(QUESTION, Sampling(100))
        assert next(stream) == Chunk("use l")
        assert isinstance(stream, Iterator)
        stream.close()  # type: ignore[attr-defined]
        assert wait_until(lambda: server.open_connections == 0), "the connection outlived the call"


# --- where the teacher is, and how long a prompt can be ---


@pytest.mark.parametrize(
    ("base_url", "environ", "found"),
    [
        ("", {}, None),
        ("", {"ANTHROPIC_API_KEY": " \n"}, None),
        ("", {"ANTHROPIC_API_KEY": "k"}, Access("k", "https://api.anthropic.com")),
        ("", {"ANTHROPIC_API_KEY": " k\n"}, Access("k", "https://api.anthropic.com")),
        ("", {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": "https://b"}, Access("k", "https://b")),
        ("", {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": " "}, Access("k", "https://api.anthropic.com")),
        ("https://a", {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": "https://b"}, Access("k", "https://a")),
        ("http://127.0.0.1:8", {"ANTHROPIC_API_KEY": "k"}, Access("k", "http://127.0.0.1:8")),
        ("http://localhost:8", {"ANTHROPIC_API_KEY": "k"}, Access("k", "http://localhost:8")),
        ("http://[::1]:8", {"ANTHROPIC_API_KEY": "k"}, Access("k", "http://[::1]:8")),
    ],
)
def test_access_is_found(base_url: str, environ: dict[str, str], found: Access | None) -> None:
    assert Access.find(TeacherSettings(base_url=base_url), environ) == found


@pytest.mark.parametrize(
    "url",
    [
        "http://api.anthropic.com",
        "http://10.0.0.7:8000",
        "http://localhost.example.com",
        "http://127.0.0.1@example.com",
        "ftp://localhost",
        "file:///etc/passwd",
        "https://",
        "api.anthropic.com",
        "http://[::1",
        "http://local\thost",
    ],
)
def test_an_address_that_would_show_the_prompt_to_others_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="base URL"):
        Access.find(TeacherSettings(), {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": url})


def test_the_bound_of_the_prompts_tokens_counts_bytes_and_frames() -> None:
    assert most_tokens([Message("system", "äb"), Message("user", "")]) == 3 + 16 + 16
