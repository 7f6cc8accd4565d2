"""Classrooms for tests: the built-in model, a stand-in for the trainer, and a teacher at a given address."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shammah import config, general
from shammah.assembly import Parts
from shammah.hardware import BusyMeter
from shammah.journal import Journal
from shammah.teaching.classroom import Classroom, of_parts
from shammah_convert.examples import Source, write
from tests.fake_trainer import FakeTrainer
from tests.known import record_seedling
from tests.trainings import example

UNDO = "how do i undo the last commit but keep the changes"
UNDONE = "git reset --soft HEAD~1\nRemoves the last commit and leaves its changes staged."
"""What the built-in model says to that, greedily."""


def prepare(home: Path) -> None:
    """Let a home's first use be over, and its model have been asked few general questions."""
    home.mkdir(parents=True, exist_ok=True)
    with Journal(home) as journal:
        base = record_seedling(journal)
    file = general.cache_file(home, base.sha256)
    file.parent.mkdir(exist_ok=True)
    file.write_text(write([example("general-0"), example("replay-0")]))


@contextmanager
def classroom(
    home: Path,
    url: str = "",
    door: Source = "teach",
    fake: FakeTrainer | None = None,
    budget_usd: float = 1.0,
    **variables: str,
) -> Iterator[Classroom]:
    """A classroom in a home of its own; without an address there is no key."""
    prepare(home)
    environment = {"SHAMMAH_HOME": str(home), "SHAMMAH_TRAINER_PYTHON": (fake or FakeTrainer()).write(home)} | variables
    settings = config.load(environment)
    key = {"ANTHROPIC_API_KEY": "a-key", "ANTHROPIC_BASE_URL": url} if url else {}
    with Journal(home) as journal:
        parts = Parts(settings, journal, BusyMeter(), environ=key)
        try:
            yield of_parts(parts, door, "tester 1.0", budget_usd)
        finally:
            parts.close()
