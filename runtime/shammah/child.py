"""The trainer as a child process: started behind everybody else, followed line by line, and ended with its parent."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from shammah import hardware
from shammah.errors import Interrupted, TrainerKilled, TrainingError
from shammah.locks import Lock
from shammah_convert.job import CANCELLED, DISK_FULL, PROGRESS

POLL_SECONDS = 0.1
GRACE_SECONDS = 5.0
# OpenMP's threads are to sleep while they wait: beside another process, spinning made a fit 20 to 150 times slower.
# And transformers has nothing to ask any hub.
ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000", "HF_HUB_OFFLINE": "1"}

Hear = Callable[[dict[str, Any]], None]
"""Hears each line of progress."""


def run(python: str, folder: Path, lock: Lock, hear: Hear) -> None:
    """Let an interpreter's trainer do the job of a folder, to its end; it ends itself when we do.

    Raises:
        TrainerKilled: A signal ended it.
        TrainingError: It failed; the text says why.
        Interrupted: It was cancelled.
    """
    with (folder / "trainer.log").open("ab") as log, (folder / PROGRESS).open("a+", encoding="utf-8") as stream:
        child = subprocess.Popen(
            [python, "-P", "-m", "shammah_trainer", os.fspath(folder), "--guarded"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=os.environ | ENVIRONMENT,
            start_new_session=True,  # Ctrl-C is for us alone
        )
        try:
            hardware.give_way(child.pid)
            lock.name(child.pid)
            error = _follow(child, stream, hear)
        finally:
            _end(child)
            lock.name()
    if child.returncode == CANCELLED:
        raise Interrupted(error)
    if child.returncode < 0:
        raise TrainerKilled(f"the trainer was killed by signal {-child.returncode}")
    if child.returncode == DISK_FULL:
        raise TrainingError(f"the disk is full: {error or f'nothing more could be written into {folder}'}")
    if child.returncode != 0:
        raise TrainingError(error or f"the trainer ended with code {child.returncode}; see {folder / 'trainer.log'}")


def _follow(child: "subprocess.Popen[bytes]", stream: TextIO, hear: Hear) -> str:
    """Pass progress on while the child lives; what it says of its failure."""
    error = ""
    while True:
        is_over = child.poll() is not None
        for line in new_lines(stream):
            error = str(line.get("error", error))
            hear(line)
        if is_over:
            return error
        time.sleep(POLL_SECONDS)


def new_lines(stream: TextIO) -> Iterator[dict[str, Any]]:
    """The whole lines of progress that were appended since the last look."""
    while True:
        place = stream.tell()
        line = stream.readline()
        if not line.endswith("\n"):  # the end, or one that is still being written
            stream.seek(place)
            return
        with contextlib.suppress(ValueError):  # a full disk cuts a line; the next ones are whole
            yield json.loads(line)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Make sure that the trainer is gone."""
    assert child.stdin is not None, "its stdin is our pipe"
    child.stdin.close()  # it ends itself when nobody holds the pipe
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
