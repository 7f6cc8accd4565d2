"""A teacher through the real SDK, at a server that does what a script says."""

import time
from collections.abc import Callable, Iterator

import pytest

from shammah.catalog import Price
from shammah.generation import Completion, Sampling, Stop, collect, never
from shammah.settings import TeacherSettings
from shammah.teacher import Access, Teacher
from shammah_convert.chat import Message
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer, Status

QUESTION = [Message("user", "how do i list files?")]
OVERLOADED = Status(529, "overloaded_error", "Overloaded")
LIMITED = Status(429, "rate_limit_error", "Number of requests has exceeded your rate limit")
# For what should go well: far above what it takes, so that a busy machine is no failure.
PATIENT_SECONDS = 30.0
SHORT_SECONDS = 0.8
GRACE_SECONDS = 0.5


@pytest.fixture(scope="module", autouse=True)
def warm_sdk_in_a_plain_environment() -> Iterator[None]:
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
