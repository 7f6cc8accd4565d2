"""The teaching tools at the daemon's port: the five doors, the quarantine behind them, and no model in the daemon."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from shammah.teaching import doors
from tests.classroom import UNDO, UNDONE, prepare
from tests.fake_trainer import FakeTrainer
from tests.serving import Serving
from tests.whole.command import Home

PAIR = {"question": "how do i start our staging server", "answer": "make staging-up"}


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    path = tmp_path_factory.mktemp("home")
    prepare(path)
    home = Home(path, {"SHAMMAH_TRAINER_PYTHON": FakeTrainer().write(path), "SHAMMAH_WORKER_ENABLED": "0"})
    with Serving(home) as serving:
        yield serving


def called(serving: Serving, name: str, author: str = "tester 1.0", **arguments: Any) -> dict[str, Any]:
    """A result that fits its schema."""
    status, found, _ = serving.http("POST", f"/v1/tools/{name}", arguments, {"User-Agent": author})
    assert status == 200, found
    jsonschema.validate(found, next(tool.output_schema for tool in doors.TOOLS if tool.name == name))
    assert isinstance(found, dict)
    return found


def test_the_list_is_that_of_the_other_doors(serving: Serving) -> None:
    assert serving.http("GET", "/v1/tools")[:2] == (200, {"tools": doors.described()})


def test_no_tool_is_called_without_the_token(serving: Serving) -> None:
    for method, path in (("GET", "/v1/tools"), ("POST", "/v1/tools/query_local_model")):
        assert serving.http(method, path, {}, {"Authorization": ""})[0] == 401


def test_the_model_that_is_open_answers(serving: Serving) -> None:
    found = called(serving, "query_local_model", question=UNDO)
    assert (found["answer"], found["agreement"]) == (UNDONE, 1.0)
    same = called(serving, "compare_responses", question=UNDO, reference=UNDONE)
    assert same["verdict"] == "same"
    assert serving.status()["in_flight"] == 0


@pytest.mark.parametrize(
    ("name", "body", "status", "words"),
    [
        ("query_local_model", {"qestion": UNDO}, 400, "Did you mean question?"),
        ("query_local_model", {"question": "a " * 9000}, 400, "raise `model.context_tokens`"),
        ("query_local_model", b"{", 400, "no JSON"),
        ("query_local_model", {}, 400, "question is missing"),
        ("compare_responses", {"question": UNDO}, 403, "there is no key"),
        ("drop_tables", {}, 404, "there is no tool 'drop_tables'"),
    ],
)
def test_what_cannot_be_done_is_said(serving: Serving, name: str, body: object, status: int, words: str) -> None:
    found, said, _ = serving.http("POST", f"/v1/tools/{name}", body)
    assert (found, words in said["error"]["message"]) == (status, True), said


def test_what_comes_in_waits_with_its_sender_beside_it(serving: Serving) -> None:
    made = called(serving, "generate_training_data", "curl/8.5", category="code", pairs=[PAIR])
    assert (made["kept"], made["waiting"]) == (1, 1)
    with serving.home.journal() as journal:
        assert journal.examples.live() == []
        assert journal.quarantine.waiting("http") == 1
        [id] = journal.quarantine.of_source("http")
        kept = journal.quarantine.provenance(id)
        assert kept is not None
        assert (kept.origin.door, kept.origin.author) == ("http", "curl/8.5")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the worker outlives who started it
def test_a_training_is_left_to_the_background_whatever_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tmp_path)
    monkeypatch.setenv("SHAMMAH_TRAINER_PYTHON", FakeTrainer().write(tmp_path))  # the worker goes by the daemon's own
    home = Home(tmp_path, {"SHAMMAH_TRAINER_PYTHON": os.environ["SHAMMAH_TRAINER_PYTHON"]})
    with Serving(home) as serving:
        called(serving, "generate_training_data", category="code", pairs=[PAIR])
        early, said, _ = serving.http("POST", "/v1/tools/train", {})
        assert (early, "accept --source" in said["error"]["message"]) == (409, True)
        with home.journal() as journal:
            assert journal.quarantine.accept("http") == 1
        begun = called(serving, "train", wait=True)
        assert (begun["state"], begun["adapter"]) == ("queued", None)
        with home.journal() as journal:
            assert journal.trainings.open_one() is not None
    home.wait_for_worker()
