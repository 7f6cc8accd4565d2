"""What an error says to do next fits the door where it is read, and what is the matter."""

import math
from pathlib import Path

import pytest

from shammah import bases, config, policy, settings_file
from shammah.doctor import checks, facts, look
from shammah.errors import (
    BudgetReached,
    ConfigError,
    JournalError,
    KeyMissing,
    ModelMissing,
    NothingVerified,
    ShammahError,
    TeacherError,
    fitting,
)
from shammah.journal import Journal
from shammah.policy import Limits, Side
from shammah.serve import failures
from shammah.settings import TeacherSettings
from shammah.sides import budget_reached
from shammah.teacher import Access
from shammah_convert.attention import Attention
from shammah_convert.chat import Message
from shammah_convert.folder import read_folder
from shammah_convert.shape import BadBase
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


@pytest.mark.parametrize(
    ("variable", "in_file", "words"),
    [
        ("/nowhere.gguf", "", "unset SHAMMAH_MODEL_PATH"),
        ("", "/nowhere.gguf", "shammah models use NAME"),
        ("", "", "the path of a Qwen GGUF"),  # a flag names it, or a command of the chat
    ],
)
def test_a_model_that_is_gone_is_mended_where_it_is_named(
    tmp_path: Path, variable: str, in_file: str, words: str
) -> None:
    if in_file:
        (tmp_path / "config.toml").write_text(f'[model]\npath = "{in_file}"\n')
    environ = {"SHAMMAH_MODEL_PATH": variable} if variable else {}
    settings = config.load({"SHAMMAH_HOME": str(tmp_path)}, model__path="/nowhere.gguf")
    with pytest.raises(ModelMissing) as raised:
        bases.wanted(settings, environ)
    assert words in raised.value.hint


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("teacher.base_url", "http://example.com", ConfigError),
        ("model.server", "http://example.com", ConfigError),
        ("model.path", "/nowhere.gguf", ModelMissing),
    ],
)
def test_what_cannot_be_used_is_not_written(tmp_path: Path, name: str, value: str, error: type[ShammahError]) -> None:
    with pytest.raises(error):
        settings_file.set_value(tmp_path, name, value)
    assert not (tmp_path / "config.toml").exists()


@pytest.mark.parametrize("name", ["nope", ""])
def test_what_is_like_no_setting_suggests_none(name: str) -> None:
    with pytest.raises(ConfigError) as raised:
        config.check_known(name, f"`{name}`")
    assert "Did you mean" not in raised.value.hint


def test_a_variable_that_is_mistyped_suggests_a_variable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        config.load({"SHAMMAH_HOME": str(tmp_path), "SHAMMAH_MODEL_PTH": "1"})
    assert raised.value.hint == "Did you mean SHAMMAH_MODEL_PATH?"


def test_a_home_that_is_a_file_is_named_so(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.touch()
    with pytest.raises(JournalError, match=r"home is no folder$"):
        Journal(home)
    assert look.disk(home).is_no_folder


@pytest.mark.parametrize("text", ["", "root:x:0:0\n"])
def test_a_file_that_is_no_model_is_told_in_plain_words(tmp_path: Path, text: str) -> None:
    file = tmp_path / "passwd"
    file.write_text(text)
    with pytest.raises(BadBase) as raised:
        Attention.read(file)
    assert "(" not in str(raised.value)


def test_a_folder_without_a_model_says_which_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BadBase) as raised:
        read_folder(tmp_path)
    assert str(raised.value) == f"{tmp_path / 'config.json'} cannot be read: No such file or directory"
