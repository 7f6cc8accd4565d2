"""Slips of the hand: each is told what it was, and what to type."""

import json
from pathlib import Path

import pytest

from tests.whole.command import Home
from tests.whole.test_teach import fill


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home.used(tmp_path_factory.mktemp("home"), {"SHAMMAH_WORKER_ENABLED": "false"})


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("ask a b", 2, "Put it into quotes"),
        ("explain", 2, "Ask something: shammah ask"),
        ("config set teacher.max_usd_per_day -1", 3, "It takes a number from 0"),
        ("models remove seedling", 2, "is built in, and stays"),
        ("models use http://127.0.0.1:9/v1", 1, "Nothing was changed"),
        ("adapters use none x", 2, "`none` stands alone"),
        ("log export --sft --out / --force", 2, "is a folder"),
        ("train --cancel --force", 2, "--cancel stands alone"),
        ("train --model /nope", 3, "there is no model at /nope"),
        ("chat --model /nope", 3, "there is no model at /nope"),
        ("serve --model /nope", 3, "there is no model at /nope"),
        ("serve --model /nope --detach", 3, "there is no model at /nope"),
        ("examples accept --source http", 0, "Nothing that came by http waits"),
    ],
)
def test_a_slip_is_told_with_what_mends_it(home: Home, line: str, code: int, words: str) -> None:
    done = home.run(*line.split())
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert words in done.stderr


def test_the_built_in_model_is_listed_as_what_answers(home: Home) -> None:
    rows = json.loads(home.run("models", "list", "--json").stdout)["models"]
    assert [row["name"] for row in rows if row["is_used"]] == ["seedling"]


def test_a_model_shows_what_was_asked_beside_what_counted(home: Home) -> None:
    home.ask("list files")
    shown = home.run("models", "show").stdout
    assert "asked    1 question, 0 adapters" in shown
    assert "counted  0 of them" in shown


def test_what_is_not_confirmed_is_not_purged(home: Home, tmp_path: Path) -> None:
    other = Home.used(tmp_path / "home")
    fill(other)
    assert "nothing was purged" in other.run("examples", "purge", "--source", "mcp").stderr
