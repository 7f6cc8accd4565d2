"""The doctor on real parts: faults are found where they are, and what is looked at stays as it is."""

import os
import sqlite3
import sys
from pathlib import Path

import pytest

from shammah.config import HOME_VARIABLE
from shammah.doctor import Finding, checks, examine, look
from shammah.journal import Journal


def found(home: Path, **variables: str) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine({HOME_VARIABLE: str(home)} | variables)}


def test_a_machine_that_never_met_us_is_looked_at_and_left_as_it_is(tmp_path: Path) -> None:
    home = tmp_path / "home"
    seen = found(home)
    assert not home.exists()
    assert (seen["database"].what, seen["model"].state) == ("none yet: the first question makes it", "note")
    assert seen["model"].command == "shammah models pull"
    assert seen["gpu"].state in ("ok", "note")


def test_a_model_that_is_named_and_not_here_comes_with_its_pull_until_that_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    home = tmp_path / "home"
    wanted = "qwen2.5-1.5b"
    seen = found(home, SHAMMAH_MODEL_PATH=wanted)["model"]
    assert (seen.state, seen.command) == ("broken", f"shammah models pull {wanted}")
    with Journal(home) as journal:
        journal.pulls.advance(journal.pulls.want(wanted, "Qwen2.5 1.5B", 100), 40, 100)
    seen = found(home, SHAMMAH_MODEL_PATH=wanted)["model"]
    assert seen.what.endswith("Qwen2.5 1.5B is on its way (40%)")
    assert seen.command == ""
    assert found(home)["model"].what == "the small built-in model answers; Qwen2.5 1.5B is on its way (40%)"


def test_faults_are_found_where_they_are(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Journal(home) as journal:
        journal.jobs.enqueue("label", {"question": 1})
        job = journal.jobs.take(0)
        assert job is not None
        journal.jobs.finish(job, error="no room")
    (home / "config.toml").write_text(f'[model]\npath = "{tmp_path / "gone.gguf"}"\n[trainer]\npython = "/no/python"\n')
    home.chmod(0o755)
    seen = found(home, ANTHROPIC_API_KEY="sk-ant-x", ANTHROPIC_BASE_URL="http://elsewhere")
    states = {name: finding.state for name, finding in seen.items() if finding.state != "ok"}
    assert states | {"onnx": "", "embedder": "", "gpu": ""} == {
        "settings": "note",
        "disk": "note",
        "model": "broken",
        "key": "broken",
        "trainer": "broken",
        "background": "note",
        "onnx": "",
        "embedder": "",
        "gpu": "",
    }
    assert "no room" in seen["background"].what


def test_a_broken_configuration_stops_no_other_look(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("ofline = true\n")
    seen = found(tmp_path)
    assert (seen["settings"].state, seen["disk"].name) == ("broken", "disk")
    assert "`offline`" in seen["settings"].what


@pytest.mark.parametrize(
    ("file", "variables", "name", "command"),
    [
        ("ofline = true", {}, "settings", "shammah config edit"),
        ("", {"SHAMMAH_OFLINE": "1"}, "settings", "unset SHAMMAH_OFLINE"),
        ("", {"SHAMMAH_OFFLINE": "1", "SHAMMAH_TRAINER_RANK": "-1"}, "settings", "unset SHAMMAH_TRAINER_RANK"),
        ("", {"SHAMMAH_MODEL_PATH": "/no/file"}, "model", "unset SHAMMAH_MODEL_PATH"),
        ('[model]\npath = "/no/file"', {}, "model", "shammah config unset model.path"),
        ("", {"ANTHROPIC_API_KEY": "x", "ANTHROPIC_BASE_URL": "ftp://x"}, "key", "unset ANTHROPIC_BASE_URL"),
        ('[teacher]\nbase_url = "x"', {"ANTHROPIC_API_KEY": "x"}, "key", "shammah config unset teacher.base_url"),
        ('[trainer]\npython = "/no/python"', {}, "trainer", "shammah config unset trainer.python"),
    ],
)
def test_what_is_wrong_is_mended_where_it_stands(
    file: str, variables: dict[str, str], name: str, command: str, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text(file)
    environ = {HOME_VARIABLE: str(tmp_path)} | variables
    seen, settings = look.settings(environ)
    model = look.model(settings, None, 8192, environ)
    found = [checks.settings(seen), checks.model(model), checks.key(look.key(settings, environ))]
    found += checks.extras(look.extras(settings, environ))
    assert next((f.state, f.command) for f in found if f.name == name) == ("broken", command)


def test_a_damaged_database_is_said_and_not_touched(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        for number in range(10):
            journal.notices.add(f"{number} " * 5000)
    file = tmp_path / "shammah.db"
    data = bytearray(file.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 8192] = b"\xff" * 8192
    file.write_bytes(data)
    seen = look.journal(file)
    assert seen.faults or seen.error
    assert file.read_bytes() == bytes(data)
    assert checks.journal(seen).state == "broken"


def test_a_database_of_a_newer_version_is_known_as_one(tmp_path: Path) -> None:
    Journal(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "shammah.db")
    connection.execute("PRAGMA user_version = 1000")
    connection.close()
    assert checks.journal(look.journal(tmp_path / "shammah.db")).command.endswith("-m pip install --upgrade shammah")


def test_gpus_are_known_by_their_makers(tmp_path: Path) -> None:
    for card, vendor in (("card0", "0x8086"), ("card1", "0x1002")):
        (tmp_path / card / "device").mkdir(parents=True)
        (tmp_path / card / "device" / "vendor").write_text(f"{vendor}\n")
    assert look.gpus("Linux", tmp_path) == ("AMD",)


def test_the_engine_is_loaded_by_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = set(sys.modules)
    assert look.engine().error == ""
    assert "llama_cpp" not in set(sys.modules) - before
    dying = tmp_path / "python"
    dying.write_text("#!/bin/sh\nkill -ILL $$\n")
    dying.chmod(0o755)
    monkeypatch.setattr(sys, "executable", os.fspath(dying))
    seen = look.engine()
    assert seen.is_killed
    assert checks.engine(seen).state == "broken"
