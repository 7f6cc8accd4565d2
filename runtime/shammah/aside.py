"""What cannot be read is set aside under a dated name: nothing of it is overwritten, and nothing is deleted."""

import contextlib
import os
import shutil
import time
from pathlib import Path

MARK = ".aside-"


def stamp() -> str:
    """The local time to the nanosecond, as dated names have it: two of the same second differ."""
    return f"{time.strftime('%Y%m%dT%H%M%S')}-{time.time_ns() % 10**9:09}"


def named(path: Path, mark: str = MARK) -> Path:
    """A name that nothing has yet; the clock may have been set back to when another was given."""
    while True:
        name = path.with_name(f"{path.name}{mark}{stamp()}")
        if not os.path.lexists(name):
            return name


def move(path: Path) -> Path | None:
    """Give a file or a folder a dated name; None where there is none, or another process was faster."""
    name = named(path)
    try:
        path.rename(name)
    except FileNotFoundError:
        return None
    return name


def keep(path: Path) -> Path:
    """Give a file a second, dated name, so that what replaces it takes nothing away; a copy where links are not made.

    Raises:
        OSError: Neither can be made.
    """
    name = named(path)
    try:
        os.link(path, name)
    except FileExistsError:  # another process was given the same one
        return keep(path)
    except OSError:
        _copy(path, name)
    return name


def of(path: Path, mark: str = MARK) -> list[Path]:
    """What was set aside of a file or a folder, by name."""
    return sorted(path.parent.glob(f"{path.name}{mark}*"))


def _copy(path: Path, name: Path) -> None:
    try:
        shutil.copy2(path, name)
    except BaseException:
        with contextlib.suppress(OSError):
            name.unlink()
        raise
