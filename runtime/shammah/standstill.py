"""A training stands still while somebody is answered: whoever answers stops its processes, and lets them go on.

Idle priority alone is not enough: beside an answer, a training takes caches and the memory's speed, and so a fifth of
the tokens a second (docs/lab-notes.md). Whoever is killed lets go of the lock; the training's parent sees that within
a tenth of a second. Where that was killed too, Linux ends the trainer with it, and elsewhere the next answer lets it go
on to its end.
"""

import contextlib
import fcntl
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

from shammah import locks


@contextlib.contextmanager
def standstill(home: Path) -> Iterator[None]:
    """Stop what trains for a home, until all who answer have left this."""
    try:
        with (home / locks.ANSWERING).open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH)
            if locks.is_held(home / locks.TRAINING):  # else the file may name processes that are long gone
                suspend(locks.named(home / locks.TRAINING))
            yield
    finally:
        if not is_answered(home):
            resume(locks.named(home / locks.TRAINING))


def is_answered(home: Path) -> bool:
    """Whether somebody is answered right now, for whom a training is to stand still."""
    return locks.is_held(home / locks.ANSWERING)


def suspend(pids: Iterable[int]) -> None:
    """Stop processes where they stand; what is gone stays gone."""
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            psutil.Process(pid).suspend()


def resume(pids: Iterable[int]) -> None:
    """Let stopped processes go on; it does nothing to others."""
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            psutil.Process(pid).resume()
