"""`shammah heads` as its users type it, on the built-in model."""

import json
from pathlib import Path

import pytest

from shammah import bases
from tests.learnt import teach_base
from tests.tiny import write_tiny
from tests.whole.command import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home whose heads have seen eight comparisons."""
    home = Home(tmp_path / "home")
    with home.journal() as journal:
        teach_base(journal, bases.identify(journal, bases.SEEDLING).sha256, 8)
    return home


def shown(home: Home) -> dict[str, dict[str, object]]:
    done = home.run("heads", "show", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, object]] = json.loads(done.stdout)
    return found


def test_heads_are_shown_refitted_and_reset(home: Home) -> None:
    assert shown(home)["router"]["lessons"] == 8
    refitted = home.run("heads", "refit")
    assert refitted.returncode == 0, refitted.stderr
    assert refitted.stdout.startswith("router     8 lessons, loss 0.")
    assert home.run("heads", "show").stdout.count("last re-fit: 8 lessons, loss 0.") == 2

    reset = home.run("heads", "reset", "router")
    assert "router.npz.aside-" in reset.stderr
    assert "shammah heads refit --all" in reset.stderr
    assert (shown(home)["router"]["lessons"], shown(home)["validator"]["lessons"]) == (0, 8)

    again = home.run("heads", "refit", "router", "--all", "--json")
    assert json.loads(again.stdout)["router"]["lessons"] == 8


def test_heads_that_know_nothing_say_so(tmp_path: Path) -> None:
    done = Home(tmp_path / "home").run("heads", "show")
    assert "0 lessons" in done.stdout
    assert "heaviest: nothing yet" in done.stdout


def test_looking_at_another_models_heads_says_what_they_will_take_over_and_takes_nothing(
    home: Home, tmp_path: Path
) -> None:
    other = str(write_tiny(tmp_path / "other.gguf"))
    shown = home.run("heads", "show", "--model", other)
    assert shown.returncode == 0, shown.stderr
    assert "0 lessons" in shown.stdout
    assert "With its first question it starts from the lessons of earlier models" in shown.stdout
    with home.journal() as journal:
        assert journal._db.execute("SELECT count(*) FROM adoptions").fetchone()[0] == 0


def test_a_head_is_exported_or_the_missing_package_is_named(home: Home, tmp_path: Path) -> None:
    done = home.run("heads", "export", "--onnx", str(tmp_path / "router.onnx"))
    if done.returncode == 3:
        assert 'pip install "shammah[onnx]"' in done.stderr
        return
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "router.onnx").stat().st_size > 1000
