"""What the trainer's libraries import by themselves, and what of it no training uses."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec

from shammah_convert.collector import resting

UNUSED = "scipy"
"""transformers' losses for object detection import it where it is installed: 35 MB and 0.2 s of a training's start."""


@contextmanager
def lean() -> Iterator[None]:
    """Import libraries as they are where what no training uses is not installed; it can be imported afterwards."""
    find = importlib.util.find_spec

    def find_used(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == UNUSED else find(name, package)

    importlib.util.find_spec = find_used
    try:
        with resting():
            yield
    finally:
        importlib.util.find_spec = find
