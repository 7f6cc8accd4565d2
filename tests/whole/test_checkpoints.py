"""`shammah checkpoint` and `shammah explain` as their users type them, on the built-in model."""

import json
from pathlib import Path

import pytest

from shammah.checkpoints import Keeper
from shammah.learning import Heads
from tests.known import record_seedling
from tests.learnt import teach_base
from tests.whole.command import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with a checkpoint after four comparisons, and four more since."""
    home = Home(tmp_path / "home")
    with home.journal() as journal:
        lineage = record_seedling(journal).sha256
        teach_base(journal, lineage, 4)
        Keeper(home.path, journal, Heads(home.path, journal, lineage, "bayes"), lineage).make("by a test")
        teach_base(journal, lineage, 4, seed=1)
    return home


def lessons(home: Home) -> int:
    done = home.run("heads", "show", "--json")
    assert done.returncode == 0, done.stderr
    return int(json.loads(done.stdout)["router"]["lessons"])


def test_a_checkpoint_is_listed_shown_gone_back_to_and_undone(home: Home) -> None:
    listed = home.run("checkpoint", "list")
    assert listed.returncode == 0, listed.stderr
    assert "4 questions" in listed.stdout
    assert "by a test" in listed.stdout
    shown = json.loads(home.run("checkpoint", "show", "1", "--json").stdout)
    assert (shown["questions"], shown["metrics"]["query_count"], shown["adapters"]) == (4, 4, [])

    assert lessons(home) == 8
    back = home.run("checkpoint", "rollback", "1")
    assert back.returncode == 0, back.stderr
    assert "To undo this: shammah checkpoint rollback 2" in back.stderr
    assert lessons(home) == 4
    assert home.run("checkpoint", "rollback", "2").returncode == 0
    assert lessons(home) == 8
    assert len(json.loads(home.run("checkpoint", "list", "--json").stdout)) == 3


def test_an_unknown_checkpoint_is_a_usage_error(home: Home) -> None:
    done = home.run("checkpoint", "rollback", "9")
    assert done.returncode == 2
    assert "there is no checkpoint 9" in done.stderr


def test_the_last_answer_is_explained(home: Home) -> None:
    assert home.run("explain").returncode == 2, "nothing has an answer yet"
    with home.journal() as journal, journal._db.write() as db:
        db.execute("UPDATE answers SET validator_probability = 0.6")  # as if the validator had been asked
    id = home.ask("--offline", "--max-tokens", "8", "how do i list hidden files")["id"]
    told = home.run("explain")
    assert told.returncode == 0, told.stderr
    assert id in told.stdout
    assert "nothing may leave the machine (offline)" in told.stdout
    found = json.loads(home.run("explain", id[:6], "--json").stdout)
    assert (found["id"], found["route"], found["reason"]) == (id, "local", "offline")
    assert "quality contract now: it has no say before question 200" in told.stdout
    assert "at most 15% bad; no estimate (8 judged answers; estimated by similarity)" in told.stdout
    assert "router lets nothing pass, validator threshold 0.5" in told.stdout
    expected = {"state": "early", "max_bad_rate": 0.15, "estimate": None, "bound": None, "by_similarity": True}
    assert expected.items() <= found["contract"].items()
