"""Models whose check has passed before: each first use opens them in a process of its own, which takes 0.3 s."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from shammah import bases
from shammah.journal import Journal
from shammah.records.bases import Base
from tests.tiny import write_tiny


def record_tiny(journal: Journal, file: Path) -> Base:
    """Record a model that `write_tiny` wrote, as its first use would."""
    stat = file.stat()
    base = replace(
        _tiny(),
        path=str(file),
        size=stat.st_size,
        mtime_ns=stat.st_mtime_ns,
        inode=stat.st_ino,
        ctime_ns=stat.st_ctime_ns,
    )
    journal.bases.record(base)
    return base


def record_seedling(journal: Journal) -> Base:
    """Record the built-in model, as its first use would."""
    journal.bases.record(_seedling())
    return _seedling()


@cache
def _tiny() -> Base:
    with TemporaryDirectory() as folder, Journal(Path(folder)) as journal:
        return bases.identify(journal, write_tiny(Path(folder) / "tiny.gguf"))


@cache
def _seedling() -> Base:
    with TemporaryDirectory() as folder, Journal(Path(folder)) as journal:
        return bases.identify(journal, bases.SEEDLING)
