"""A configuration that is no TOML is set aside, and nothing leaves the machine until somebody says so."""

import logging
import time
from pathlib import Path

import pytest

from shammah import config, settings_file, unreadable
from shammah.errors import ConfigError, NoToml
from shammah.settings import Settings

SPOILED = (b"[privacy\n", b"\x00\x01", b"offline = tru", b"\xff\xfe", b"offline")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unreadable, "SETTLING_SECONDS", 0.0)


def load(home: Path, **variables: str) -> Settings:
    return config.load({"SHAMMAH_HOME": str(home)} | variables)


@pytest.mark.parametrize("data", SPOILED)
def test_it_is_set_aside_the_defaults_hold_and_nothing_is_sent(
    data: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(data)
    assert load(tmp_path) == Settings(home=tmp_path, offline=True)
    assert load(tmp_path).offline, "until the person says so"
    (kept,) = tmp_path.glob("config.toml.aside-*")
    assert kept.read_bytes() == data
    (said,) = (record for record in caplog.records if record.levelno == logging.WARNING)
    assert str(kept) in said.getMessage()
    assert "shammah config unset offline" in said.getMessage()
    settings_file.unset(tmp_path, "offline")
    assert not load(tmp_path).offline


def test_a_second_one_overwrites_nothing(tmp_path: Path) -> None:
    for data in SPOILED:
        (tmp_path / "config.toml").write_bytes(data)
        load(tmp_path)
    assert {kept.read_bytes() for kept in tmp_path.glob("config.toml.aside-*")} == set(SPOILED)


def test_a_wrong_value_is_an_error_and_stays(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("offlien = true\n")
    with pytest.raises(ConfigError, match="offlien"):
        load(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["config.toml"]


def test_the_background_leaves_it_to_a_command_that_somebody_sees(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[privacy")
    with pytest.raises(NoToml):
        load(tmp_path, SHAMMAH_BACKGROUND="1")
    assert [file.name for file in tmp_path.iterdir()] == ["config.toml"]


def test_what_an_editor_has_written_to_its_end_meanwhile_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[answer")
    monkeypatch.setattr(time, "sleep", lambda _: file.write_text("[answer]\nmax_tokens = 9\n"))
    assert load(tmp_path).answer.max_tokens == 9
    assert not list(tmp_path.glob("config.toml.aside-*"))


def test_what_a_link_leads_to_is_set_aside_beside_it(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    target = tmp_path / "dotfiles" / "shammah.toml"
    target.write_text("[privacy")
    (tmp_path / "config.toml").symlink_to(target)
    assert load(tmp_path).offline
    (kept,) = target.parent.glob("shammah.toml.aside-*")
    assert kept.read_text() == "[privacy"
    assert (tmp_path / "config.toml").is_symlink()
