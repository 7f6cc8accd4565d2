"""`shammah config` as its users type it."""

import json
from pathlib import Path

import pytest

from tests.whole.command import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home", {"SHAMMAH_MODEL_THREADS": "2"})


def test_a_setting_is_changed_shown_with_its_origin_and_taken_back(home: Home) -> None:
    done = home.run("config", "set", "teacher.max_usd_per_month", "7.5")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    shown = home.run("config", "show", "--origin")
    lines = shown.stdout.splitlines()
    assert "[teacher]" in lines
    assert f"max_usd_per_month = 7.5{' ' * 9} # {home.path / 'config.toml'}" in lines
    assert any(line.startswith("threads = 2 ") and line.endswith("# SHAMMAH_MODEL_THREADS") for line in lines)
    assert any(line.startswith("offline = false ") and line.endswith("# default") for line in lines)
    assert home.run("config", "unset", "teacher.max_usd_per_month").returncode == 0
    found = json.loads(home.run("config", "show", "teacher.max_usd_per_month", "--json").stdout)
    assert found == {"teacher.max_usd_per_month": {"value": 20.0, "origin": "default"}}


def test_what_is_shown_is_a_configuration_file(home: Home) -> None:
    (home.path).mkdir()
    (home.path / "config.toml").write_text(home.run("config", "show").stdout)
    assert json.loads(home.run("config", "show", "model.threads", "--json").stdout)["model.threads"]["value"] == 2


def test_a_value_that_the_environment_overrides_is_said(home: Home) -> None:
    done = home.run("config", "set", "model.threads", "3")
    assert "SHAMMAH_MODEL_THREADS is set in the environment, and wins" in done.stderr


def test_an_unknown_name_is_refused_with_the_nearest(home: Home) -> None:
    for arguments in (("set", "teacher.modle", "x"), ("show", "teacher.modle"), ("unset", "teacher.modle")):
        done = home.run("config", *arguments)
        assert done.returncode == 3
        assert "`teacher.model`" in done.stderr


def test_an_editor_changes_the_file_and_what_it_breaks_is_kept_aside(home: Home) -> None:
    editor = home.path.with_name("editor")
    editor.write_text('#!/bin/sh\necho "$LINE" >> "$1"\n')
    editor.chmod(0o755)
    home.variables.update({"EDITOR": str(editor), "LINE": "offline = true"})
    assert "is saved" in home.run("config", "edit").stderr
    home.variables["LINE"] = "ofline = true"
    broken = home.run("config", "edit")
    assert broken.returncode == 3
    assert "config.rejected.toml" in broken.stderr
    assert home.run("config", "show", "offline").stdout == "offline = true\n"


def test_a_list_of_patterns_is_set_shown_and_checked(home: Home) -> None:
    done = home.run("config", "set", "privacy.never_forward", '["acme", "project \\\\d"]')
    assert done.returncode == 0, done.stderr
    assert home.run("config", "show", "privacy").stdout == '[privacy]\nnever_forward = ["acme", "project \\\\d"]\n'
    shown = json.loads(home.run("config", "show", "privacy", "--json").stdout)
    assert shown["privacy.never_forward"]["value"] == ["acme", "project \\d"]
    wrong = home.run("config", "set", "privacy.never_forward", "(acme")
    assert wrong.returncode == 3
    assert "`privacy.never_forward` has '(acme', which is no regular expression" in wrong.stderr
    assert home.run("config", "set", "privacy.never_forward", "acme").returncode == 0
    assert home.run("config", "show", "privacy").stdout == '[privacy]\nnever_forward = ["acme"]\n'
