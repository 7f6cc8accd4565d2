"""`shammah ask`, `chat` and `feedback` beside a running daemon: the same answers, from the model that is warm there."""

from collections.abc import Iterator

import jsonschema
import pytest

from tests.serving import Serving
from tests.whole.command import Home
from tests.whole.test_ask import SCHEMA

QUESTION = "how do i undo the last commit but keep the changes"
QUIET = {"SHAMMAH_WORKER_ENABLED": "false"}
ALONE = {"SHAMMAH_SERVE_USE": "false"}


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(Home.used(tmp_path_factory.mktemp("home"), QUIET)) as running:
        yield running


def answered(serving: Serving) -> int:
    count = serving.status()["answers"]
    assert isinstance(count, int)
    return count


def test_the_daemon_answers_what_a_command_answers_by_itself(serving: Serving) -> None:
    before = answered(serving)
    warm = serving.home.run("ask", QUESTION)
    assert answered(serving) == before + 1
    alone = Home(serving.home.path, QUIET | ALONE).run("ask", QUESTION)
    assert answered(serving) == before + 1, "serve.use = false leaves it alone"
    assert (warm.returncode, warm.stdout, warm.stderr) == (alone.returncode, alone.stdout, alone.stderr)


def test_the_json_object_keeps_its_schema(serving: Serving) -> None:
    outcome = serving.home.ask("how do i find large files")
    jsonschema.validate(outcome, SCHEMA)
    alone = Home(serving.home.path, QUIET | ALONE).ask("how do i find large files")
    own = ("id", "seconds")
    assert {k: v for k, v in outcome.items() if k not in own} == {k: v for k, v in alone.items() if k not in own}
