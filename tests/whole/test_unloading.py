"""What vLLM was given of our adapters is taken out of it once nobody is to be answered with it."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from shammah.bases import SEEDLING
from shammah.compatible.loaded import Note, Notes
from tests.model_server import NAME, ModelServer
from tests.whole.command import Home
from tests.whole.test_model_server import LOCAL, adapters, at, keep


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer("vllm") as running:
        yield running


@pytest.fixture
def home(server: ModelServer, tmp_path: Path) -> Home:
    """A home that has had vLLM answer with an adapter."""
    made = Home.used(tmp_path / "home")
    keep(made, adapters(tmp_path, "mine"))
    assert made.run("adapters", "use", "mine").returncode == 0
    there = at(made, server.url, SHAMMAH_MODEL_PATH=str(SEEDLING))
    assert there.ask(*LOCAL)["adapters"] == [{"name": "mine", "scale": 1.0}]
    assert len(loaded(server)) == 1
    return there


@pytest.fixture(autouse=True)
def is_new(server: ModelServer) -> None:
    server.change(loaded={})


def loaded(server: ModelServer) -> list[str]:
    with urllib.request.urlopen(f"{server.url}/models") as reply:
        return [row["id"] for row in json.load(reply)["data"] if row["id"] != NAME]


def test_what_is_rolled_back_is_taken_out_at_once(home: Home, server: ModelServer) -> None:
    done = home.run("adapters", "rollback")
    assert loaded(server) == []
    assert f"Taken out of {server.url}: an adapter that is not active any more." in " ".join(done.stderr.split())


def test_what_everything_is_erased_with_is_taken_out_at_once(home: Home, server: ModelServer) -> None:
    assert home.run("log", "erase", "--all", "--yes").returncode == 0
    assert loaded(server) == []


def test_what_is_active_stays(home: Home, server: ModelServer) -> None:
    question = home.ask(*LOCAL)["id"]
    assert home.run("log", "erase", question, "--yes").returncode == 0
    assert len(loaded(server)) == 1


def test_what_is_active_no_more_is_taken_out_by_the_next_opening(home: Home, server: ModelServer) -> None:
    with home.journal() as journal:  # as a training's promotion does, which asks no server
        [adapter] = journal.adapters.all()
        journal.adapters.activate(adapter.base, ((adapter.name, 0.5),), "test")
    before = loaded(server)
    home.ask(*LOCAL)
    [after] = loaded(server)
    assert [after] != before


def test_what_others_have_loaded_is_left_alone(home: Home, server: ModelServer, tmp_path: Path) -> None:
    folder = next((home.path / "cache" / "peft").iterdir())
    body = {"lora_name": "shammah-0123456789abcdef", "lora_path": str(folder)}
    urllib.request.urlopen(f"{server.url}/load_lora_adapter", json.dumps(body).encode()).close()
    assert home.run("adapters", "use", "none").returncode == 0
    assert loaded(server) == ["shammah-0123456789abcdef"]


def test_a_server_that_was_started_anew_has_nothing_to_be_taken_out(home: Home, server: ModelServer) -> None:
    server.change(loaded={})
    done = home.run("adapters", "use", "none")
    assert done.returncode == 0
    assert "may still have" not in done.stderr
    assert list(Notes(home.path).all()) == []


def test_where_the_server_is_out_of_reach_it_is_said_how(home: Home) -> None:
    [kept] = Notes(home.path).all()
    Notes(home.path).drop(kept)
    Notes(home.path).keep(Note("http://127.0.0.1:9/v1", kept.name, kept.files))
    done = home.run("adapters", "use", "none")
    assert done.returncode == 0
    assert "curl http://127.0.0.1:9/v1/unload_lora_adapter -H" in done.stderr
    assert f'{{"lora_name": "{kept.name}"}}' in done.stderr
    assert len(list(Notes(home.path).all())) == 1
