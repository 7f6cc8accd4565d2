"""Model files that kill whoever opens them: native code dies of some, and takes its process along.

Whoever opens a model holds a locked mark meanwhile, in a folder of the home: every process of it looks there first. A
mark that nobody holds any more is a death, of native code or of a kill from outside. After one, a process of its own
tries the file before anybody else does; after two, it is left alone until it is another file.
"""

import contextlib
import fcntl
import hashlib
import os
import shlex
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from shammah import bases, locks, stamps
from shammah.errors import BadModel, EngineRefuses

MOST_DEATHS = 2


def folder_of(home: Path) -> Path:
    """Where the marks of a home are."""
    return home / "cache" / "openings"


@contextlib.contextmanager
def careful(folder: Path, file: Path, say: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Open a model within this: a file of which somebody died is tried in another process before.

    Raises:
        EngineRefuses: It killed two who opened it, this other process perhaps the second.
    """
    check(folder, file)
    if deaths(folder, file):
        say(f"The process that opened {file.name} last died of it: checking it.")
        try:
            bases.probe(file)
        except BadModel as error:
            _leave(folder, file)
            raise _refusal(folder, file) from error
    with marked(folder, file):
        yield


@contextlib.contextmanager
def marked(folder: Path, file: Path) -> Iterator[None]:
    """Hold a mark; once the model is open, whatever it was before counts no more."""
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):  # a full disk is no reason to answer nobody
            held.enter_context(_held(folder, file))
        yield
        for mark in _marks(folder, f"{_path_of(file)}-"):
            if not locks.is_held(mark):
                mark.unlink(missing_ok=True)


def check(folder: Path, file: Path) -> None:
    """See that a file is none that is left alone.

    Raises:
        EngineRefuses: It is.
    """
    if deaths(folder, file) >= MOST_DEATHS:
        raise _refusal(folder, file)


def deaths(folder: Path, file: Path) -> int:
    """How many died while they opened a file as it is now, since it was last opened."""
    if not folder.is_dir():  # as nearly always
        return 0
    return sum(not locks.is_held(mark) for mark in _marks(folder, _prefix(file)))


@contextlib.contextmanager
def _held(folder: Path, file: Path) -> Iterator[None]:
    mark = _leave(folder, file, is_held=True)
    try:
        with mark.open() as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            mark = mark.rename(mark.with_name(mark.name.removeprefix(".")))  # seen by others once it is locked
            yield
    finally:
        mark.unlink(missing_ok=True)


def _leave(folder: Path, file: Path, is_held: bool = False) -> Path:
    """A new mark; one that is to be held is not seen yet."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / f"{'.' * is_held}{_prefix(file)}{uuid.uuid4().hex}"
    mark.write_text(os.fspath(file))
    return mark


def _marks(folder: Path, prefix: str) -> list[Path]:
    return list(folder.glob(f"{prefix}*"))


def _prefix(file: Path) -> str:
    """Of the marks of a file as it is now."""
    return f"{_path_of(file)}-{_digest(repr(stamps.stamp_of(file)))}-"


def _path_of(file: Path) -> str:
    return _digest(os.fspath(file))


def _digest(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:16]


def _refusal(folder: Path, file: Path) -> EngineRefuses:
    return EngineRefuses(
        f"{file} killed the process that opened it, twice",
        hint="Download it again, or use another one: `shammah models list`. If it was want of memory, make room, then:"
        f" rm -r {shlex.quote(os.fspath(folder))}",
    )
