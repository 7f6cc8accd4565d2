"""A trainer that is killed goes on to the very adapter that it would have made, and none outlives its parent."""

import contextlib
import random
import signal
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import psutil

from shammah import child, locks
from shammah_convert.failpoints import VARIABLE
from shammah_convert.job import ADAPTER
from shammah_trainer.__main__ import DONE
from tests.faults.promise import Promise, Trials
from tests.forks import codes, end, fork
from tests.job_folders import PLAN, example, job_on, prepare
from tests.qwens import Kind

AT_WORK = ("before_checkpoint", "after_checkpoint")
AT_THE_END = ("before_adapter", "after_adapter", "after_report")
POINTS = tuple(f"training.{place}" for place in (*AT_WORK, *AT_THE_END))
TIMES = 25
MOST_CHECKPOINTS = 4
"""Of a process that is killed: there are more steps than all of them make."""

ORPHAN_SECONDS, LONGEST_LIFE_SECONDS = 20.0, 1.5


def eager(folder: Path) -> int:
    """Train with a checkpoint after each step."""
    from shammah_trainer.keeping import Pace  # torch is in the process that this is forked from
    from shammah_trainer.progress import Progress
    from shammah_trainer.session import train

    _quieten()
    with contextlib.closing(Progress(folder)) as progress:
        train(folder, progress, Pace(seconds=0.0, share=float("inf")))
    return DONE


def _quieten() -> None:
    """Let no process say that peft asks for what transformers has renamed."""
    warnings.simplefilter("ignore", FutureWarning)


def resumed(trials: Trials) -> str:
    """Kill a training at each place in turn, go on with it, and compare what comes of it."""
    chance, job = random.Random(trials.seed), job_on(Kind().write(trials.folder / "base.gguf"))
    whole = trials.folder / "whole"
    whole.mkdir()
    assert codes([fork(eager, prepare(whole, job))]) == [DONE]
    order = [point for _ in range(-(-trials.count // len(POINTS))) for point in POINTS][: trials.count]
    for start in range(0, len(order), len(POINTS)):
        folder = trials.folder / str(start)
        folder.mkdir()
        prepare(folder, job)
        for point in order[start : start + len(POINTS)]:
            count = 1 if point.removeprefix("training.") in AT_THE_END else chance.randint(1, MOST_CHECKPOINTS)
            ended = codes([fork(eager, folder, **{VARIABLE: f"{point}:{count}"})])
            assert ended == [-signal.SIGKILL], f"{point}:{count}: {ended}"
        assert codes([fork(eager, folder)]) == [DONE]
        assert (folder / ADAPTER).read_bytes() == (whole / ADAPTER).read_bytes(), "it made another adapter"
    return f"{-(-len(order) // len(POINTS))} trainings, each killed {len(POINTS)} times"


def parent(folder: Path) -> None:
    """Be the parent of a training, until somebody kills it."""
    with locks.only_one(folder / locks.TRAINING) as lock:
        assert lock is not None
        child.run(sys.executable, folder, lock, lambda _: None)


def orphaned(trials: Trials) -> str:
    """Kill trainers' parents at any moment, half of them while the training stands still for an answer."""
    chance, base = random.Random(trials.seed), Kind().write(trials.folder / "base.gguf")
    plan = replace(PLAN, batch_rows=1, learning_rate=1e-12, most_epochs=10_000)
    many = [example(f"e{place}", f"say {place}") for place in range(2000)]
    stopped = 0
    for trial in range(trials.count):
        folder = trials.folder / str(trial)
        folder.mkdir()
        prepare(folder, replace(job_on(base), corrections=("e0",), plan=plan), many)
        stands = bool(trial % 2)
        stopped += stands
        _orphan(folder, chance.uniform(0.0, LONGEST_LIFE_SECONDS), stands)
    return f"{stopped} of them while it stood still"


def _orphan(folder: Path, seconds: float, stands: bool) -> None:
    """Kill a trainer's parent after a while, and wait until the trainer is gone, too."""
    killed = fork(parent, folder)
    try:
        trainer = psutil.Process(_trainer_of(folder / locks.TRAINING))
        time.sleep(seconds)
        if stands:
            trainer.suspend()
    finally:
        end([killed])
    deadline = time.monotonic() + ORPHAN_SECONDS
    try:
        while _is_alive(trainer):
            assert time.monotonic() < deadline, f"it outlives its parent, {seconds:.2f} s old, standing: {stands}"
            time.sleep(0.01)
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            trainer.kill()


def _trainer_of(lock: Path) -> int:
    """The process that works behind a lock, as soon as there is one."""
    deadline = time.monotonic() + 60
    while not (pids := locks.named(lock)):
        assert time.monotonic() < deadline, "no trainer is started"
        time.sleep(0.005)
    return pids[0]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


PROMISES = (
    Promise(
        "trainer-death",
        "Process death",
        "A trainer that is killed around a checkpoint, its adapter or its report, and resumed, makes the very adapter"
        " that it would have made.",
        "kills",
        TIMES * len(POINTS),
        resumed,
        least=len(POINTS),
    ),
    Promise(
        "orphan-trainer",
        "Process death",
        "A trainer whose parent is killed ends, also while it stands still for an answer.",
        "kills",
        100,
        orphaned,
        least=4,
    ),
)
