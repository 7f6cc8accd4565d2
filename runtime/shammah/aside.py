"""What cannot be read is set aside under a dated name: nothing of it is overwritten, and nothing is deleted."""

import contextlib
import os
import shutil
from pathlib import Path

from shammah_convert.aside import MARK, move, named, stamp

__all__ = ["MARK", "keep", "move", "named", "of", "stamp"]


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
