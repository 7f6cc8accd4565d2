"""What tells of a model's file without reading it that it is the one that was recorded."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shammah.errors import ModelMissing
from shammah.records.bases import Base
from shammah_convert.split import parts_of

TICK_NS = 15_000_000
"""The kernel's clock for files moves every 1 to 10 ms: two changes within one tick have the same time."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells without reading it that a file is the same; of a split model the sum, the newest, and digests."""

    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int

    @classmethod
    def of(cls, base: Base) -> "Stamp":
        """As it was recorded."""
        return cls(base.size, base.mtime_ns, base.inode, base.ctime_ns)


def size_of(file: Path) -> int:
    """Bytes of a model, of a split one those of all its parts.

    Raises:
        ModelMissing: A part of it is missing.
    """
    return stamp_of(file).size


def stamp_of(file: Path) -> Stamp:
    """What tells without reading it that a model's file is the same.

    Raises:
        ModelMissing: A part of it is missing.
    """
    return _stamp(parts_of(file))


def settled(parts: Sequence[Path]) -> Stamp:
    """The same of a model's parts; whoever writes to them from now on gives them another one.

    Raises:
        ModelMissing: A part is missing.
    """
    stamp = _stamp(parts)
    if abs(time.time_ns() - stamp.ctime_ns) < TICK_NS:  # whoever writes now must not get the same time
        time.sleep(TICK_NS / 1e9)
    return stamp


def missing(part: Path, parts: int) -> ModelMissing:
    """What is said of a model with so many parts, one of which is not there."""
    if parts == 1:
        return ModelMissing(f"there is no model at {part}")
    return ModelMissing(f"{part} is missing", hint=f"The model has {parts} parts: put all of them into one folder.")


def _stamp(parts: Sequence[Path]) -> Stamp:
    """Of several files the inode is a digest that a change in any of them changes.

    Raises:
        ModelMissing: A part is missing.
    """
    stats = []
    for part in parts:
        try:
            stats.append(part.stat())
        except FileNotFoundError as error:
            raise missing(part, len(parts)) from error
    inode, newest = stats[0].st_ino, max(stat.st_ctime_ns for stat in stats)
    if len(stats) > 1:
        seen = json.dumps([(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino) for stat in stats])
        # SQLite's integers have 63 bits and a sign.
        inode = int.from_bytes(hashlib.sha256(seen.encode()).digest()[:7])
    return Stamp(sum(stat.st_size for stat in stats), max(stat.st_mtime_ns for stat in stats), inode, newest)
