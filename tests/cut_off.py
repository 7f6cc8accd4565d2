"""A training that was cut off after its first checkpoint."""

from typing import Any

import pytest

from shammah import child, resuming
from shammah.journal import Journal
from shammah.records.adapters import Training
from shammah.records.bases import Base
from shammah.settings import Settings
from tests.fake_trainer import FakeTrainer
from tests.trainings import correct, trainer

CHECKPOINT = "checkpoint-00000001.safetensors"


@pytest.fixture
def cut_off(settings: Settings, journal: Journal, base: Base, monkeypatch: pytest.MonkeyPatch) -> Training:
    """A training that was interrupted after its first checkpoint."""
    monkeypatch.setattr(child, "GRACE_SECONDS", 0.1)  # the stand-in does not end by itself
    correct(journal, "one")

    def hear(line: dict[str, Any]) -> None:
        if line["event"] == "step":
            (settings.home / "jobs" / "1" / CHECKPOINT).write_bytes(b"")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer(settings, journal, FakeTrainer(steps=500, pause=0.02), hear=hear).start(base, is_forced=False)
    last = journal.trainings.last()
    assert last is not None
    return last


def take_up(settings: Settings, journal: Journal, **more: Any) -> Training:
    last = resuming.last_cut_off(journal, settings.home / "jobs")
    return trainer(settings, journal, FakeTrainer(), **more).take_up(last, is_forced=False)
