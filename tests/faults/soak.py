"""A long life in one process: questions of every kind, comparisons, swaps of adapters and trainings in between."""

import gc
import itertools
import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from shammah import adapters, answering, bases, config
from shammah.asked import Asked, Forced
from shammah.assembly import Parts
from shammah.hardware import BusyMeter
from shammah.journal import Journal
from shammah.records.bases import Base
from shammah.settings import Settings
from shammah.training import Trainer
from shammah.worker import Worker
from shammah_convert.lora import Card, write_lora
from shammah_convert.opened import OpenBase
from tests.fake_trainer import FakeTrainer
from tests.faults.promise import Promise, Trials
from tests.known import record_seedling
from tests.lora_files import make_lora
from tests.scripted import Recorder

ROOT = Path(__file__).parents[2]
SWAP_EVERY, TRAIN_EVERY, WORK_EVERY = 100, 500, 50
MOST_SLOWER, SPARE_SECONDS = 1.3, 0.005
MOST_LARGER = 1.2
MOST_GROWTH, SPARE_BYTES = 0.05, 10_000_000
LEAST_QUESTIONS = 2000
"""A shorter life says nothing of what stays flat."""

WAYS: tuple[Forced, ...] = ("local", "teacher", "")
QUESTIONS = (
    "how do i undo the last commit but keep the changes",
    "list all files",
    "show free disk space",
    "how do i find files larger than 1 GB",
    "what is the capital of country number",
    "how do i rename a branch",
)


@dataclass
class Life:
    """What was seen of it.

    Attributes:
        seconds: Of processor time that a question took, by who was asked, in order.
        resident: Bytes in memory, after each round of background work.
        database: Bytes on disk, at the same times.
        asked: How many had been asked by then.
    """

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    resident: list[int] = field(default_factory=list)
    database: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    swaps: int = 0
    trainings: int = 0


def soak(trials: Trials) -> str:
    """Ask so many questions."""
    with _teacher() as url:
        settings = _settings(trials.folder, url)
        environ = os.environ | {"ANTHROPIC_API_KEY": "a-key", "ANTHROPIC_BASE_URL": url}
        with Journal(settings.home) as journal:
            base = record_seedling(journal)
            swaps = _adapters(trials.folder, journal, base)
            life = _lived(settings, journal, environ, base, swaps, trials)
    return _judged(life, trials.count)


def _lived(
    settings: Settings, journal: Journal, environ: dict[str, str], base: Base, swaps: list[str], trials: Trials
) -> Life:
    life, chance = Life(), random.Random(trials.seed)
    parts = Parts(settings, journal, BusyMeter(), environ=environ)
    names = itertools.cycle(swaps)
    for place in range(1, trials.count + 1):
        _ask(parts, life, place, chance)
        if place % SWAP_EVERY == 0:
            life.swaps += journal.adapters.activate(base.sha256, ((next(names), 0.5),), "use")
        if place % TRAIN_EVERY == 0 or place == trials.count:
            _train(parts, journal, base, life)
        if place % WORK_EVERY == 0:
            with _in_environment(environ):
                Worker(settings, journal).work()
            _note(life, journal, place)
    parts.close()
    return life


def _ask(parts: Parts, life: Life, place: int, chance: random.Random) -> None:
    text = f"{chance.choice(QUESTIONS)} {place}"
    asked = Asked(text, f"terminal {place % 7}", WAYS[place % len(WAYS)])
    begun = time.process_time()
    told = answering.answer(asked, parts, parts.local(), Recorder(), lambda _: None, lambda: False)
    life.seconds[f"{asked.forced or 'routed'}, {told.side}"].append(time.process_time() - begun)


def _train(parts: Parts, journal: Journal, base: Base, life: Life) -> None:
    """Train as `shammah train` does, by a stand-in for torch; what it makes is checked by llama.cpp and made active."""
    before = journal.adapters.active(base.sha256)
    training = Trainer(parts.settings, journal, parts.open_bare).start(base, is_forced=True)
    assert training.state == "promoted", f"{training.state}: {training.reason}"
    assert journal.adapters.active(base.sha256) != before
    life.trainings += 1


def _note(life: Life, journal: Journal, place: int) -> None:
    gc.collect()
    life.asked.append(place)
    life.resident.append(psutil.Process().memory_info().rss)
    life.database.append(journal.path.stat().st_size)


def _judged(life: Life, count: int) -> str:
    slower = {kind: _slower(seconds) for kind, seconds in life.seconds.items() if len(seconds) >= count / 20}
    larger = _last_beside_first(life.asked, life.database)
    settled = life.resident[len(life.resident) // 5]
    growth = life.resident[-1] - settled
    kinds = "; ".join(f"{kind} {first * 1000:.0f} to {last * 1000:.0f} ms" for kind, (first, last) in slower.items())
    words = (
        f"{life.swaps} swaps, {life.trainings} trainings; processor time, first tenth to last: {kinds}; memory"
        f" {growth / 1e6:+.1f} MB of {settled / 1e6:.0f}; {life.database[-1] / count:,.0f} bytes of database"
        f" a question, in the last tenth {larger:.2f} times the first"
    )
    if count >= LEAST_QUESTIONS:
        for first, last in slower.values():
            assert last <= MOST_SLOWER * first + SPARE_SECONDS, words
        assert growth <= MOST_GROWTH * settled + SPARE_BYTES, words
        assert larger <= MOST_LARGER, words
    return words


def _slower(seconds: list[float]) -> tuple[float, float]:
    """The median of the first tenth, and of the last."""
    tenth = max(1, len(seconds) // 10)
    return float(np.median(seconds[:tenth])), float(np.median(seconds[-tenth:]))


def _last_beside_first(asked: list[int], sizes: list[int]) -> float:
    """Bytes a question in the last tenth, beside the first."""
    tenth = max(1, len(asked) // 10)
    first = sizes[tenth - 1] / asked[tenth - 1]
    last = (sizes[-1] - sizes[-1 - tenth]) / (asked[-1] - asked[-1 - tenth]) if len(asked) > tenth else first
    return last / first


def _settings(folder: Path, url: str) -> Settings:
    python = FakeTrainer().write(folder)
    return config.load(
        {config.HOME_VARIABLE: str(folder / "home")},
        trainer__python=python,
        teacher__max_usd_per_day=1e6,
        teacher__max_usd_per_month=1e6,
        worker__on_battery=True,
    )


def _adapters(folder: Path, journal: Journal, base: Base) -> list[str]:
    """Two adapters that change answers little."""
    shape = OpenBase(bases.SEEDLING).config
    for name, seed in (("first", 1), ("second", 2)):
        file = folder / f"{name}.gguf"
        card = Card(name, "seedling", base.sha256, parent="", scores={})
        write_lora(file, make_lora(card, shape, ["model.layers.0.mlp.up_proj"], seed=seed, scale=0.01), shape)
        adapters.record(journal, adapters.install(folder / "home", file, base))
    return ["first", "second"]


@contextmanager
def _in_environment(environ: dict[str, str]) -> Iterator[None]:
    """The worker reads the teacher's key where a process of its own would."""
    before = dict(os.environ)
    os.environ.update(environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _teacher() -> Iterator[str]:
    """Claude's stand-in, in a process of its own: what it remembers is not ours."""
    command = [sys.executable, "-m", "tests.anthropic_server", "git reset --soft HEAD~1"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.stdin.close()


SOAK = Promise(
    name="soak",
    part="Soak",
    claim="Over a long life with swaps of adapters, trainings and comparisons in between, memory stays flat, the last "
    "questions take the time that the first took, and the database grows by as much a question at the end as at the "
    "beginning.",
    unit="questions",
    full=10_000,
    check=soak,
)
