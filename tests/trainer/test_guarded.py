"""A guarded trainer ends with its parent, however that ends."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from shammah_convert.job import ADAPTER, PROGRESS
from shammah_trainer.__main__ import FAILED, main
from tests.forks import end, fork
from tests.job_folders import PLAN, command, example, job_on, prepare
from tests.qwens import Kind

SECONDS_TO_END = 20.0

# Starts the trainer as the runtime does, says its process id, and waits to be killed.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Kind().write(tmp_path_factory.mktemp("base") / "base.gguf")


@pytest.fixture
def endless(base: Path, tmp_path: Path) -> Iterator[Path]:
    """A job that takes minutes: hundreds of steps an epoch that teach nothing."""
    plan = replace(PLAN, batch_rows=1, learning_rate=1e-12, most_epochs=10_000)
    many = [example(f"e{place}", f"say {place}") for place in range(2000)]
    yield prepare(tmp_path, replace(job_on(base), corrections=("e0",), plan=plan), many)
    assert not (tmp_path / ADAPTER).exists()


def wait_for_step(folder: Path) -> None:
    deadline = time.monotonic() + 60
    while not (folder / PROGRESS).exists() or '"step"' not in (folder / PROGRESS).read_text("utf-8"):
        assert time.monotonic() < deadline, "it takes no step"
        time.sleep(0.05)


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; here nobody may be there to bury it."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def guarded(folder: Path, pipe: Path) -> int:
    os.dup2(os.open(pipe, os.O_RDONLY), 0)
    return main([os.fspath(folder), "--guarded"])


def test_a_guarded_trainer_ends_when_its_parent_closes_the_pipe(endless: Path, tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "stdin")
    child = fork(guarded, endless, pipe)
    try:
        with pipe.open("wb"):
            wait_for_step(endless)
            assert child.is_alive(), "an open pipe lets it work"
        child.join(SECONDS_TO_END)
        assert child.exitcode == FAILED
    finally:
        end([child])


@pytest.mark.parametrize("is_starting", [True, False], ids=["as it starts", "at work"])
def test_a_guarded_trainer_ends_when_its_parent_is_killed(endless: Path, is_starting: bool) -> None:
    arguments = [sys.executable, "-c", PARENT, *command(endless, "--guarded")]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        trainer = psutil.Process(int(parent.stdout.readline()))
        try:
            if not is_starting:
                wait_for_step(endless)
            parent.kill()
            deadline = time.monotonic() + SECONDS_TO_END
            while is_alive(trainer):
                assert time.monotonic() < deadline, "it outlives its parent"
                time.sleep(0.05)
        finally:
            parent.kill()
            with contextlib.suppress(psutil.NoSuchProcess):
                trainer.kill()
