"""Dated names for what cannot be read: nothing of it is overwritten."""

import os
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
