"""Adapters and trainings as tests put them into a journal."""

from pathlib import Path

from shammah.journal import Journal
from shammah.records.adapters import Adapter, Training

LINEAGE = "base"
ROOT = Path(__file__).parents[1]


def new(name: str, training: int | None = None, base: str = LINEAGE, parent: str | None = None) -> Adapter:
    created = "2026-01-01T00:00:00.000Z"
    return Adapter(name, base, f"/{name}.gguf", "ab" * 32, parent, {"learnt.exact": 0.5}, created, training)


def use(journal: Journal, *names: str, base: str = LINEAGE) -> None:
    for name in names:
        if journal.adapters.find(name) is None:
            journal.adapters.add(new(name, base=base))
    journal.adapters.activate(base, tuple((name, 1.0) for name in names), "use")


def active(journal: Journal) -> list[str]:
    return [name for name, _ in journal.adapters.active(LINEAGE)]


def begun(journal: Journal) -> Training:
    training = journal.trainings.begin(LINEAGE, is_forced=False)
    assert training
    return training


def states(journal: Journal) -> list[str]:
    return [row["state"] for row in journal._db.execute("SELECT state FROM trainings ORDER BY number")]
