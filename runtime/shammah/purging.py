"""The purge of what came in by a door: examples and tests, with their copies, and what has learnt from them."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from shammah import erasing
from shammah.errors import EraseFailed
from shammah.journal import Journal
from shammah_convert.examples import Source


@dataclass(frozen=True, slots=True)
class Purge:
    """What a purge takes, and what it leaves that has learnt from it.

    Attributes:
        examples: Ids of all that came by the door, learnt or not.
        adapters: Names of those that learnt from some of it, or went on from one that did, oldest first; they are left.
        active: Those of them that answer now.
        jobs: Folders of trainings that hold copies.
    """

    source: Source
    examples: tuple[str, ...]
    adapters: tuple[str, ...]
    active: tuple[str, ...]
    jobs: tuple[Path, ...]


def plan(home: Path, journal: Journal, source: Source) -> Purge:
    """What goes with a door; nothing is purged yet."""
    ids = tuple(journal.quarantine.of_source(source))
    affected = erasing.with_heirs(home, journal, journal.erasing.learnt_by(ids))
    bases = {adapter.name: adapter.base for adapter in journal.adapters.all()}
    active = [name for name in affected if name in dict(journal.adapters.active(bases[name]))]
    jobs = tuple(erasing.job_folders(home, journal, ids))
    return Purge(source, ids, tuple(affected), tuple(active), jobs)


def carry_out(home: Path, journal: Journal, purge: Purge) -> int:
    """Purge; how many examples and tests that were.

    Raises:
        EraseBusy: A training or the background works on it.
        EraseFailed: A copy cannot be deleted.
        JournalError: The journal cannot be written.
    """
    with erasing.alone(home):
        try:
            for folder in purge.jobs:
                shutil.rmtree(folder)
        except OSError as error:
            raise EraseFailed(f"not all copies could be deleted: {error}") from error
        return journal.quarantine.purge(purge.source)
