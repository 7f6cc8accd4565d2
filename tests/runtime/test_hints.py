"""What an error says to do next fits the door where it is read, and what is the matter."""

import math
from pathlib import Path

import pytest

from shammah import policy
from shammah.doctor import checks, facts
from shammah.errors import BudgetReached, ConfigError, KeyMissing, NothingVerified, ShammahError, TeacherError, fitting
from shammah.journal import Journal
from shammah.policy import Limits, Side
from shammah.serve import failures
from shammah.settings import TeacherSettings
from shammah.sides import budget_reached
from shammah.teacher import Access
from shammah_convert.chat import Message
from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer
from tests.classroom import classroom

ERRORS = [budget_reached("day", "Claude"), KeyMissing("no key"), TeacherError("away"), BudgetReached("used up")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_whoever_asks_over_http_is_told_of_no_flag(error: ShammahError) -> None:
    message = failures.of_error(error).message
    assert "--" not in message
    assert "ask the model `shammah:local`" in message


def test_the_command_line_names_its_flag() -> None:
    with pytest.raises(TeacherError) as raised, fitting("ask with --local"):
        raise TeacherError("Claude is away")
    assert raised.value.hint == "Try again later, or ask with --local."


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(wants_verified=True), "Give the teacher a key"),
        (Limits(has_key=True, is_offline=True), "Leave offline mode"),
        (Limits(has_key=True, forced=Side.LOCAL), "Leave out --local"),
        (Limits(has_key=True, is_private=True), "privacy.never_forward"),
    ],
)
def test_why_nothing_is_verified_decides_what_mends_it(limits: Limits, words: str) -> None:
    assert words in policy.unverified(limits).hint


def test_a_teacher_that_fails_is_named_where_nothing_is_verified() -> None:
    error = policy.unverified(Limits(has_key=True), TeacherError("Claude cannot be reached"))
    assert isinstance(error, NothingVerified)
    assert str(error).endswith("and Claude cannot be reached")
    assert "key" not in error.hint


@pytest.mark.parametrize("key", ["sk-ant-\nx", "sk-ant-schlüssel", "sk ant"])
def test_a_key_that_no_header_can_carry_is_refused_untold_and_unsent(key: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Access.find(TeacherSettings(), {"ANTHROPIC_API_KEY": key})
    assert key not in f"{raised.value} {raised.value.hint}"


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_the_doctor_says_that_a_key_is_malformed(provider: str) -> None:
    seen = facts.Key(False, "a\nb", "any", "the key is none", True, "unset URL", "unset MODEL", provider)
    found = checks.key(seen)
    assert found.state == "broken"
    assert found.command.startswith(f"export {'ANTHROPIC' if provider == 'anthropic' else 'OPENAI'}_API_KEY=")


def test_a_budget_that_is_no_number_pays_for_nothing(tmp_path: Path) -> None:
    with Journal(tmp_path / "home") as journal:
        assert journal.spending.passed(0.01, math.nan) == "day"
        assert journal.spending.passed(0.01, 1.0, math.nan) == "month"
    with (
        AnthropicServer([Answer("x")]) as server,
        classroom(tmp_path / "class", server.url, budget_usd=math.nan) as room,
    ):
        with pytest.raises(BudgetReached):
            room.claude.ask([Message("user", "teach")])
        assert not server.requests
