"""Files that appear under their name only when they are whole and on the disk."""

import os
from pathlib import Path


def publish(partial: Path, path: Path) -> None:
    """Move a finished file to its name; both the file and the folder's entry reach the disk."""
    sync(partial)
    partial.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file, or a folder's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, text: str) -> None:
    """Write a text file that is there whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, "utf-8")
    publish(partial, path)
