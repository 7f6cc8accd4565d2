"""Files that appear under their name only when they are whole and on the disk."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from shammah_convert.failpoints import reach

# Of a full disk, a full quota, and a limit on a file's size.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def publish(partial: Path, path: Path) -> None:
    """Move a finished file to its name; both the file and the folder's entry reach the disk."""
    sync(partial)
    reach("file.before_name")
    partial.replace(path)
    reach("file.after_name")
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file, or a folder's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a name to write under; the file gets its own when the block ends well, and is gone otherwise."""
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        publish(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):  # half a file would keep a full disk full
            partial.unlink(missing_ok=True)
        raise


def write_whole(path: Path, text: str) -> None:
    """Write a text file that is there whole or not at all."""
    with whole(path) as partial:
        partial.write_text(text, "utf-8")


def write_private(path: Path, text: str) -> None:
    """Write a text file for its owner's eyes alone, with the ends of lines that it has, whole or not at all."""
    with whole(path) as partial:
        partial.unlink(missing_ok=True)  # of a killed process, perhaps with other rights
        partial.touch(0o600)
        partial.write_text(text, "utf-8", newline="")


def leads_inside(path: str) -> bool:
    """Whether a relative path stays in its folder, on every system."""
    parts = path.replace("\\", "/").split("/")
    return "\0" not in path and not {"", ".", ".."}.intersection(parts)


def in_words(error: BaseException) -> str:
    """What an error says, without its number, its class or a path that stands beside it already."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"it does not say {error.args[0]}" if isinstance(error, KeyError) and error.args else str(error)


def is_full(error: BaseException) -> bool:
    """Whether a write failed for want of room."""
    return isinstance(error, OSError) and error.errno in FULL
