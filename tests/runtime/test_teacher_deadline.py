"""Whatever the teacher's server does, a call ends: at the deadline, with a stop, with whoever reads."""

import threading
import time
from collections.abc import Iterator

import pytest

from shammah.errors import Interrupted, TeacherError
from shammah.generation import Chunk, Finish, Sampling
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Behaviour, Drip, Mute, Stall, Status
from tests.teachers import (
    GRACE_SECONDS,
    QUESTION,
    SHORT_SECONDS,
    ask,
    teacher_at,
    wait_until,
    warm_sdk_in_a_plain_environment,
)

__all__ = ["warm_sdk_in_a_plain_environment"]

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
