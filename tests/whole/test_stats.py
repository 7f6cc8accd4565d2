"""`shammah stats` as its users type it."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from tests.asked import Asked, judge, name
from tests.whole.command import Home
from tests.whole.test_terminal import end, on_terminal

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "stats.schema.json").read_text("utf-8"))
EVIL = "evil\x1b[2J\x07 qwen"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with some questions, of a model whose name would clear the screen."""
    home = Home(tmp_path_factory.mktemp("home"))
    with home.journal() as journal:
        name(journal, EVIL)
        for day in (10, 11, 12):
            judge(journal, Asked(at=f"2026-11-{day}T12:00:00.000Z"), is_good=day > 10)
        Asked(side="teacher", reason="cold_start", cost_usd=0.25).put(journal)
    return home


def test_stats_go_through_a_pipe_without_a_terminals_codes(home: Home) -> None:
    done = home.run("stats")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith("4 questions, 2026-11-10 to ")
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    for words in ("Who answered", "Quality of local answers", "Over time, by", "Dollars", "Calibration of the router"):
        assert words in done.stdout


def test_json_follows_its_schema(home: Home) -> None:
    done = home.run("stats", "--json", "--since", "2026-11-11", "--by", "week", "--base", "ffff")
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    jsonschema.validate(row, SCHEMA)
    assert (row["since"], row["by"], row["base"], row["questions"]["asked"]) == ("2026-11-11", "week", "f" * 64, 3)
    assert row["over_time"][0]["start"] == "2026-11-09"


def test_the_page_is_written_where_it_is_wanted(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "stats.html"
    done = home.run("stats", "--html", str(file))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"The page is in {file}.\n")
    assert home.run("stats", "--html", "-").stdout.strip() == file.read_text("utf-8").strip()


def test_on_a_narrow_terminal_titles_are_bold_and_names_harmless(home: Home) -> None:
    said = end(on_terminal(home, "stats", columns=60))
    assert "\x1b[1mWho answered\x1b[22m" in said
    assert "\x1b[2J" not in said
    assert "\x07" not in said
    plain = Home(home.path, {"NO_COLOR": "1"})
    assert "\x1b[1m" not in end(on_terminal(plain, "stats", columns=60))


def test_where_blocks_cannot_be_written_plain_letters_stand_in(home: Home) -> None:
    environment = home.environment() | {"PYTHONIOENCODING": "ascii"}  # which a process heeds as it begins
    command = [sys.executable, "-m", "shammah", "stats"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "####" in done.stdout
    assert "?" not in done.stdout


@pytest.mark.parametrize("arguments", [(), ("--since", "7d")])
def test_an_empty_home_says_what_to_do(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = Home(tmp_path).run("stats", *arguments)
    assert (done.returncode, done.stdout) == (0, "")
    assert "shammah ask" in done.stderr or "Leave out --since" in done.stderr
    row = json.loads(Home(tmp_path).run("stats", "--json", *arguments).stdout)
    jsonschema.validate(row, SCHEMA)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--since", "soon"), "--since 'soon' is no point in time"),
        (("--base", "no such model"), "no one model is meant"),
        (("--json", "--html", "-"), "exclude each other"),
        (("--html", "."), "is there already"),
    ],
)
def test_what_cannot_be_meant_ends_with_2_and_a_hint(home: Home, arguments: tuple[str, ...], words: str) -> None:
    done = home.run("stats", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) > 1, "a hint follows"
    assert "\x1b" not in done.stderr
