"""One process at a time: a locked file that names whoever works behind it."""

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

WORKER, TRAINING, ANSWERING, FETCHING = "worker.lock", "training.lock", "answering.lock", "fetching.lock"
SERVING = "serve.lock"
# Whoever only looks holds the lock for a moment.
ATTEMPTS, PAUSE_SECONDS = 3, 0.02


class Lock:
    """A lock that is held; its file names processes, for those who look from outside.

    Attributes:
        home: Where it lies.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.home = file.parent

    def name(self, *pids: int) -> None:
        """Say which processes work behind the lock."""
        self._file.write_text(" ".join(map(str, pids)))


@contextlib.contextmanager
def only_one(file: Path) -> Iterator[Lock | None]:
    """Hold a lock file; None where another process has it. A killed holder lets go."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as stream:
        if not any(_take(stream) for _ in range(ATTEMPTS)):
            yield None
            return
        lock = Lock(file)
        try:
            yield lock
        finally:
            lock.name()


@contextlib.contextmanager
def waited_for(file: Path) -> Iterator[None]:
    """Hold a lock file, as soon as whoever has it lets go."""
    with file.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def is_held(file: Path) -> bool:
    """Whether somebody holds a lock file, or shares in it, now; one that cannot be looked at is held by nobody."""
    try:
        with file.open("r") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _take(stream: TextIO) -> bool:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(PAUSE_SECONDS)
        return False
    return True


def background(home: Path) -> list[int]:
    """The processes that work in the background for a home, at idle priority."""
    return [pid for name in (WORKER, TRAINING) for pid in working(home / name)]


def working(file: Path) -> list[int]:
    """The processes that a lock file names, as long as somebody holds it.

    A killed holder leaves their numbers, which the system gives to others.
    """
    pids = named(file)
    return pids if pids and is_held(file) else []


def named(file: Path) -> list[int]:
    """The processes that a lock file names, also those of a killed holder."""
    try:
        return [int(word) for word in file.read_text().split()]
    except (OSError, ValueError):
        return []
