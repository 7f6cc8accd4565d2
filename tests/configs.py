"""Settings as tests give them: a file, variables and flags."""

from pathlib import Path

import pytest

from shammah import config
from shammah.errors import ConfigError, UsageError
from shammah.settings import Settings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def write(home: Path, text: str) -> None:
    (home / "config.toml").write_text(text, "utf-8")


def load(home: Path, environ: dict[str, str] | None = None, **flags: object) -> Settings:
    return config.load({config.HOME_VARIABLE: str(home)} | (environ or {}), **flags)


def refusal(home: Path, environ: dict[str, str] | None = None, **flags: object) -> tuple[str, str]:
    """The message and the hint of the error that these settings are."""
    with pytest.raises(UsageError if flags else ConfigError) as caught:
        load(home, environ, **flags)
    return str(caught.value), caught.value.hint
