"""The trainer as a child process: started behind everybody else, followed line by line, and ended with its parent."""

import contextlib
import ctypes
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import psutil

from shammah import hardware
from shammah.errors import Interrupted, TrainerKilled, TrainingError
from shammah.launching import started
from shammah.locks import Lock
from shammah.standstill import is_answered, resume, suspend
from shammah_convert import pauses
from shammah_convert.job import CANCELLED, DISK_FULL, EXIT, PROGRESS, RUNNING

POLL_SECONDS = 0.1
FAMILY_SECONDS = 1.0
"""Between two looks at which processes a launcher has started."""

GRACE_SECONDS = 5.0
# OpenMP's threads are to sleep while they wait: beside another process, spinning made a fit 20 to 150 times slower.
# And transformers has nothing to ask any hub.
# A launcher starts interpreters of its own: like ours, they are to import nothing from the job folder.
OF_LAUNCHERS = frozenset(
    f"{prefix}{name}"
    for prefix, names in (
        ("", ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")),
        ("PMI_", ("RANK", "SIZE")),
        ("MPI_", ("LOCALRANKID", "LOCALNRANKS")),
        ("OMPI_COMM_WORLD_", ("RANK", "SIZE", "LOCAL_RANK", "LOCAL_SIZE")),
        ("MV2_COMM_WORLD_", ("RANK", "SIZE", "LOCAL_RANK", "LOCAL_SIZE")),
    )
    for name in names
)
"""What launchers tell their processes of each other by, as accelerate reads it."""

ENVIRONMENT = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "1000",
    "HF_HUB_OFFLINE": "1",
    "PYTHONSAFEPATH": "1",
}
LOG = "trainer.log"
PR_SET_PDEATHSIG = 1  # linux/prctl.h

Hear = Callable[[dict[str, Any]], None]
"""Hears each line of progress."""


def run(python: str, folder: Path, lock: Lock, hear: Hear, launch: str = "") -> None:
    """Let an interpreter's trainer do the job of a folder, to its end; it ends itself when we do.

    Args:
        python: The interpreter.
        folder: Of the job.
        lock: Names the processes that work.
        hear: Hears each line of progress.
        launch: A launcher's command, as `trainer.launch` has it; empty starts one process.

    Raises:
        ConfigError: The launcher's command cannot be run.
        TrainerKilled: A signal ended it.
        TrainingError: It failed; the text says why.
        Interrupted: It was cancelled.
    """
    if launch:
        (folder / EXIT).unlink(missing_ok=True)  # of an attempt that was cut off
    command = started(python, launch, folder)
    with (folder / LOG).open("ab") as log, (folder / PROGRESS).open("a+", encoding="utf-8", errors="replace") as stream:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=_environment(launch),
            start_new_session=True,  # Ctrl-C is for us alone
            preexec_fn=None if launch else _dying_with_us(),  # a launcher's trainers see to themselves
        )
        family = _Family(child.pid, lock)
        try:
            hardware.give_way(child.pid)
            error = _follow(child, stream, hear, family, folder)
        finally:
            _end(child, family)
            lock.name()
    _judge(_left_code(folder, launch) if launch else child.returncode, child.returncode, error, folder)


def _environment(launch: str) -> dict[str, str]:
    """Ours, less what would tell a trainer that nobody launched of other processes to wait for."""
    kept = {name: value for name, value in os.environ.items() if launch or name not in OF_LAUNCHERS}
    return kept | ENVIRONMENT


def _dying_with_us() -> Callable[[], object] | None:
    """What lets the kernel kill a child when its parent dies, before the child's program begins; None where none can.

    A trainer ends itself when its pipe is closed. One that stands still for an answer cannot, and would hold its memory
    until the next answer lets it go on.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # found here: between fork and exec as little as can be is done
    return lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _judge(code: int, status: int, error: str, folder: Path) -> None:
    """Raise what a trainer's exit code means; the status is that of its launcher, where there is one."""
    if code == CANCELLED:
        raise Interrupted(error)
    if code < 0:
        raise TrainerKilled(f"the trainer was killed{f' by signal {-status}' if status < 0 else ''}")
    if code == DISK_FULL:
        raise TrainingError(f"the disk is full: {error or f'nothing more could be written into {folder}'}")
    if code != 0:
        raise TrainingError(error or f"the trainer ended with code {code}; see {folder / LOG}")


def _left_code(folder: Path, launch: str) -> int:
    """The exit code that a launched trainer left, since a launcher has one of its own; -1 where it was killed.

    Raises:
        TrainingError: It was never started.
    """
    try:
        text = (folder / EXIT).read_text()
    except FileNotFoundError:
        raise TrainingError(
            f"`{launch}`, put before `-m shammah_trainer JOB`, started no trainer; what it said is in {folder / LOG}."
            " Mend it, or leave trainer.launch empty to train with one process"
        ) from None
    if not text:
        return DISK_FULL
    return -1 if text == RUNNING else int(text)


class _Family:
    """The trainer's process, and what it has started, as far as it was seen."""

    def __init__(self, pid: int, lock: Lock) -> None:
        self._lock, self._looked = lock, -math.inf
        self._members = {pid: psutil.Process(pid)}
        self._pid = pid

    def look(self) -> None:
        """Name all of them behind the lock, now and then."""
        if time.monotonic() - self._looked < FAMILY_SECONDS:
            return
        with contextlib.suppress(psutil.Error):
            self._members |= {child.pid: child for child in self._members[self._pid].children(recursive=True)}
        self._lock.name(*(pid for pid, process in self._members.items() if process.is_running()))
        self._looked = time.monotonic()

    def stand_or_go(self, folder: Path) -> None:
        """Stand still while somebody is answered; but go on, to where memory is given back, for one who needs that."""
        if is_answered(self._lock.home) and not pauses.asked(folder):
            suspend(self._members)
        else:
            self.go()

    def go(self) -> None:
        """Let all of them go on: whoever stopped them may have been killed."""
        resume(self._members)

    def end(self) -> None:
        """Kill those that do not end themselves, now that nobody holds their stdin, nor is their parent there."""
        others = [process for pid, process in self._members.items() if pid != self._pid]
        _, alive = psutil.wait_procs(others, GRACE_SECONDS)
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.kill()


def _follow(child: "subprocess.Popen[bytes]", stream: TextIO, hear: Hear, family: _Family, folder: Path) -> str:
    """Pass progress on while the child lives; what it says of its failure."""
    error = ""
    while True:
        family.look()
        family.stand_or_go(folder)
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
        with contextlib.suppress(ValueError, RecursionError):  # a full disk cuts a line; the next ones are whole
            found = json.loads(line)
            if isinstance(found, dict):
                yield found


def _end(child: "subprocess.Popen[bytes]", family: _Family) -> None:
    """Make sure that the trainer is gone, and all that it started."""
    assert child.stdin is not None, "its stdin is our pipe"
    child.stdin.close()  # it ends itself when nobody holds the pipe
    family.go()
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    family.end()
