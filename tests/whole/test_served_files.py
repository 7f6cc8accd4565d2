"""The daemon's model, when another one is chosen, and when its file is written over, cut off or replaced."""

import os
from pathlib import Path

from shammah.adapters import hash_of
from shammah.bases import SEEDLING
from shammah.serve.bound import ANEW
from tests.serving import Serving
from tests.teachers import wait_until
from tests.whole.command import Home

QUESTION = "how do i undo the last commit but keep the changes"
QUIET = {"SHAMMAH_WORKER_ENABLED": "false"}


def test_a_model_that_is_chosen_is_served_from_then_on(tmp_path: Path) -> None:
    home = Home.used(tmp_path / "home", QUIET)
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(SEEDLING.read_bytes())
    with Serving(home) as serving:
        assert home.run("models", "use", str(copy)).returncode == 0
        assert home.run("ask", QUESTION).stdout.startswith("git reset"), "the command answers meanwhile"
        assert wait_until(lambda: serving.status()["path"] == str(copy), 30)
        before = serving.status()["answers"]
        assert home.run("ask", QUESTION).stdout.startswith("git reset")
        assert serving.status()["answers"] == before + 1


def test_a_model_that_is_written_over_is_served_no_more_until_it_was_checked(tmp_path: Path) -> None:
    home, copy = Home(tmp_path / "home", QUIET), tmp_path / "copy.gguf"
    copy.write_bytes(SEEDLING.read_bytes())
    body = {"model": "shammah:local", "messages": [{"role": "user", "content": QUESTION}]}

    def posted(to: Serving) -> tuple[int, str]:
        status, said, _ = to.http("POST", "/v1/chat/completions", body)
        return status, said["shammah"]["id"] if status == 200 else said["error"]["message"]

    with Serving(home, model__path=str(copy)) as serving:
        first = posted(serving)[1]
        with copy.open("r+b") as stream:
            stream.seek(-100, os.SEEK_END)
            stream.write(b"\1")
        assert posted(serving) == (503, f"{copy} was changed since the daemon opened it. {ANEW}")
        assert wait_until(lambda: posted(serving)[0] == 200, 30)
        with home.journal() as journal:
            lineages = [question.lineage for question in (journal.question(first), journal.recent(1)[0]) if question]
    assert lineages == [hash_of(SEEDLING), hash_of(copy)]


def test_a_model_that_was_cut_off_and_came_back_is_opened_anew(tmp_path: Path) -> None:
    """What the engine has mapped is the file that was cut off: the next answer would kill it."""
    copy, whole = tmp_path / "copy.gguf", tmp_path / "whole.gguf"
    for file in (copy, whole):
        file.write_bytes(SEEDLING.read_bytes())
    body = {"model": "shammah:local", "messages": [{"role": "user", "content": QUESTION}]}
    with Serving(Home(tmp_path / "home", QUIET), model__path=str(copy)) as serving:
        before = serving.house.opened.engine
        assert serving.http("POST", "/v1/chat/completions", body)[0] == 200
        os.truncate(copy, 4096)
        assert serving.http("POST", "/v1/chat/completions", body)[0] == 503
        whole.replace(copy)
        assert wait_until(lambda: serving.http("POST", "/v1/chat/completions", body)[0] == 200, 30)
        assert serving.house.opened.engine is not before
        assert before.starts == 1, "it did not die"
