"""A training takes the room that it was told, and what is written is whole before it is named."""

import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shammah import embedding, room
from shammah.following import folder_of, outcome
from shammah.journal import Journal
from shammah.records.bases import Base
from shammah.reports import PAGE
from shammah.settings import Settings, TrainerSettings
from shammah_convert.job import EXAMPLES, GENERAL, HELD_OUT, JOB, REPLAY, REPORT
from shammah_convert.opened import OpenBase
from shammah_convert.shape import lora_values
from tests.cut_off import CHECKPOINT, take_up
from tests.disk_order import Event, published, recorded, without_missing
from tests.fake_trainer import FakeTrainer
from tests.trainings import base, correct, journal, settings, trainer

__all__ = ["base", "journal", "settings"]


def test_a_disk_that_is_too_small_is_told_before_the_model_is_opened(
    settings: Settings, journal: Journal, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    correct(journal, "one")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10_000_000))
    heard: list[dict[str, Any]] = []
    ended = trainer(settings, journal, FakeTrainer(), hear=heard.append).start(base, is_forced=False)
    assert ended.state == "failed"
    assert re.search(r"takes 0\.018 GB, and 0\.010 GB are free in", ended.reason)
    assert heard == []
    assert list(folder_of(settings.home, ended).iterdir()) == []


def test_the_room_is_that_of_three_checkpoints_and_two_adapters(base: Base) -> None:
    shape = OpenBase(Path(base.path)).config
    values = 16 * 2 * (2 * (64 + 64) + 2 * (64 + 32) + 3 * (64 + 128))  # rank, layers, and the seven projections
    assert lora_values(shape, 16) == values
    assert room.needed_bytes(shape, 16) == values * (3 * (3 * 4 + 2) + 2 * 2) + room.OTHER_BYTES


def test_checkpoints_that_are_there_need_no_room(base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = room.needed_bytes(OpenBase(Path(base.path)).config, 16)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=needed - 1000))
    folder = tmp_path / "job"
    folder.mkdir()
    with pytest.raises(Exception, match="GB are free"):
        room.check(folder, Path(base.path), 16)
    (folder / CHECKPOINT).write_bytes(bytes(1000))
    room.check(folder, Path(base.path), 16)


def test_a_trainer_that_finds_the_disk_full_is_a_failure_that_says_so_and_can_go_on(
    settings: Settings, journal: Journal, base: Base
) -> None:
    correct(journal, "one")
    python = settings.home / "full"
    python.write_text(f'#!/bin/sh\ntouch "$4/{CHECKPOINT}"\nexit 4\n')
    python.chmod(0o755)
    full = trainer(settings, journal, FakeTrainer())
    full = replace(full, settings=replace(settings, trainer=TrainerSettings(python=str(python))))
    ended = full.start(base, is_forced=False)
    assert ended.state == "failed"
    assert ended.reason.startswith("the disk is full: ")
    assert "--resume" in outcome(settings.home, ended)
    assert take_up(settings, journal).state == "promoted"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_job_is_whole_before_its_trainer_starts_and_the_adapter_before_its_row(
    settings: Settings, journal: Journal, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    correct(journal, "one")
    embedding.prepare(settings.home)
    events: list[Event] = recorded(monkeypatch)

    def trace(statement: str) -> None:
        if statement.startswith(("INSERT INTO adapters", "COMMIT")):
            events.append(("sql", statement.split()[0]))

    def hear(line: dict[str, Any]) -> None:
        if line == line | {"event": "step", "step": 1}:
            events.append(("trainer", "step"))
            (settings.home / "jobs" / "1" / CHECKPOINT).write_bytes(b"")

    journal._db._connection.set_trace_callback(trace)
    ended = trainer(settings, journal, FakeTrainer(), hear=hear).start(base, is_forced=False)
    journal._db._connection.set_trace_callback(None)
    folder, named = folder_of(settings.home, ended), journal.adapters.find("corrections-v1")
    assert named is not None
    told, adapter = without_missing(events), Path(named.path)
    start = told.index(("trainer", "step"))
    job = published(folder, HELD_OUT, GENERAL, EXAMPLES, REPLAY, JOB)
    assert [event for event in told[:start] if event[0] != "sql"][-len(job) :] == job
    promotion = told[start + 1 :]
    row = promotion.index(("sql", "INSERT"))
    files = [*published(adapter.parent, adapter.name), *published(folder, REPORT, PAGE)]
    told_before = [event for event in promotion[:row] if event[0] != "sql"]
    assert told_before[: len(files)] == files
    assert told_before[len(files)] == ("sync", "checkpoint.json"), "the state to go back to comes before the row, too"
    assert promotion[row + 1 :] == [("sql", "COMMIT"), ("unlink", CHECKPOINT)]
