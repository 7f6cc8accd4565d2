"""A training stands still between two batches for as long as a process that lives asks it to."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from shammah_convert import pauses
from shammah_convert.job import CANCEL, PROGRESS
from shammah_convert.pauses import Answering
from shammah_trainer import pause
from shammah_trainer.fit import Cancelled
from shammah_trainer.progress import Progress
from tests.forks import end, fork_trainer
from tests.job_folders import PLAN, example, job_on, prepare, told
from tests.qwens import Kind

LONG_ENOUGH = 1.5
"""Seconds in which a tiny model makes dozens of steps."""


def me() -> Answering:
    return Answering(os.getpid(), psutil.Process().create_time())


def test_a_process_that_lives_is_heard(tmp_path: Path) -> None:
    assert not pause.is_asked_for(tmp_path)
    file = pauses.ask(tmp_path, me())
    assert pause.is_asked_for(tmp_path)
    file.unlink()
    assert not pause.is_asked_for(tmp_path)


def test_who_was_killed_or_is_another_asks_for_nothing(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    started = psutil.Process(gone.pid).create_time()
    time.sleep(0.5)
    pauses.ask(tmp_path, Answering(gone.pid, started))
    assert not pause.is_asked_for(tmp_path), "a process that nobody has buried yet"
    gone.wait()
    assert not pause.is_asked_for(tmp_path)
    pauses.ask(tmp_path, replace(me(), started=me().started - 3600))
    assert not pause.is_asked_for(tmp_path), "the id belongs to another by now"


@pytest.fixture
def progress(tmp_path: Path) -> Iterator[Progress]:
    with contextlib.closing(Progress(tmp_path)) as opened:
        yield opened


def test_it_says_that_it_stands_still_and_gives_memory_back_once(
    progress: Progress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released: list[str] = []
    progress.release = lambda: released.append("workspace")
    file = pauses.ask(tmp_path, me())
    looks = iter([None, None, file.unlink])

    def sleep(seconds: float) -> None:
        assert seconds == pause.LOOK_SECONDS
        assert [line["event"] for line in told(tmp_path)] == ["paused"]
        act: Callable[[], None] | None = next(looks)
        if act is not None:
            act()

    monkeypatch.setattr(time, "sleep", sleep)
    progress.breathe()
    assert [line["event"] for line in told(tmp_path)] == ["paused", "continued"]
    assert released == ["workspace"]
    progress.breathe()
    assert len(told(tmp_path)) == 2, "nobody asks any more"


def test_standing_still_it_can_be_cancelled(progress: Progress, tmp_path: Path) -> None:
    pauses.ask(tmp_path, me())
    (tmp_path / CANCEL).touch()
    with pytest.raises(Cancelled):
        progress.breathe()


def test_a_trainer_stands_still_and_goes_on(tmp_path: Path) -> None:
    base = Kind().write(tmp_path / "base.gguf")
    plan = replace(PLAN, batch_rows=1, learning_rate=1e-12, most_epochs=10_000)
    many = [example(f"e{place}", f"say {place}") for place in range(2000)]
    folder = tmp_path / "job"
    folder.mkdir()
    prepare(folder, replace(job_on(base), corrections=("e0",), plan=plan), many)
    child = fork_trainer(folder)
    try:
        wait_for(folder, "step")
        file = pauses.ask(folder, me())
        wait_for(folder, "paused")
        lines = (folder / PROGRESS).read_text("utf-8")
        time.sleep(LONG_ENOUGH)
        assert (folder / PROGRESS).read_text("utf-8") == lines, "nothing goes on"
        assert child.is_alive()
        file.unlink()
        wait_for(folder, "continued")
        wait_for(folder, "step", after="continued")
    finally:
        end([child])


def wait_for(folder: Path, event: str, after: str = "") -> None:
    deadline = time.monotonic() + 60
    while not has(folder, event, after):
        assert time.monotonic() < deadline, f"it says no {event}"
        time.sleep(0.05)


def has(folder: Path, event: str, after: str) -> bool:
    text = (folder / PROGRESS).read_text("utf-8") if (folder / PROGRESS).exists() else ""
    rest = text.partition(json.dumps({"event": after})[:-1])[2] if after else text
    return f'"event": "{event}"' in rest
