"""How fast answers are decoded while a training runs, beside a training that stands still.

`python -m bench.together` takes three minutes. The training is a real one, of the very model that answers, started by
the runtime's own `shammah.child`: a process of idle priority. Each answer makes it stand still, as `shammah ask` does
(`shammah.standstill`), and between two answers it works. In every second window it stands still between them, too
(A B A B). A window of the first kind must find that the training worked in it.
"""

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from bench import shapes, table
from bench.ask import QUESTION
from bench.decode import stream_seconds
from bench.loop import corrections
from bench.measure import Pairs, Row, alternate, watching
from shammah import child, locks
from shammah.bases import SEEDLING
from shammah.errors import ShammahError
from shammah.generation import Sampling
from shammah.hardware import physical_cores
from shammah.local import LocalModel
from shammah.standstill import standstill
from shammah_convert import examples
from shammah_convert.chat import Message
from shammah_convert.examples import Example
from shammah_convert.job import CANCEL, EXAMPLES, REPLAY, Job, Plan

LEAST, ROUNDS, SECONDS, MAX_TOKENS = 0.95, 7, 5.0, 64
MOST_MEMORY_BYTES = 4_000_000_000
"""What a laptop of 8 GB has free."""
LULL_SECONDS = 0.5
"""Between two answers: whoever asked reads."""
START_SECONDS = 600.0
POLL_SECONDS = 0.05


class Training:
    """A training under way, as the runtime runs it.

    Attributes:
        home: Where whoever answers says so.
        lines: Of its progress, so far.
        windows: Seconds on processors that it took in each measured window.
    """

    def __init__(self, folder: Path, base: Path) -> None:
        self.home = folder
        self.lines: list[dict[str, Any]] = []
        self.windows: list[float] = []
        self._folder, self._lock = folder / "job", folder / locks.TRAINING
        self._folder.mkdir()
        write_job(self._folder, base)
        self._parent = threading.Thread(target=self._run)
        self._parent.start()

    def wait_for_a_step(self) -> None:
        """Return when the first step is made: all is opened and in its stride.

        Raises:
            RuntimeError: It ended before.
        """
        deadline = time.monotonic() + START_SECONDS
        while self.steps == 0:
            self._check()
            if time.monotonic() > deadline:
                raise RuntimeError(f"no step in {START_SECONDS:g} s: {self.lines}")
            time.sleep(POLL_SECONDS)

    @property
    def steps(self) -> int:
        """That were made so far."""
        return sum(line["event"] == "step" for line in self.lines)

    def work_of(self, window: Callable[[], float]) -> float:
        """What comes of a window in which it works between answers.

        Raises:
            RuntimeError: It did not.
        """
        process = self._process()
        before = _seconds(process)
        result = window()
        self.windows.append(_seconds(process) - before)
        self._check()
        if self.windows[-1] <= 0.0:
            raise RuntimeError("the training stood still in a measured window")
        return result

    def end(self) -> None:
        """Cancel it, and wait until its process is gone."""
        (self._folder / CANCEL).touch()
        self._parent.join()

    def _run(self) -> None:
        try:
            with locks.only_one(self._lock) as lock:
                assert lock is not None, "nobody else knows the folder"
                child.run(sys.executable, self._folder, lock, self.lines.append)
        except ShammahError as error:  # also our own cancelling; whoever measures reads it
            self.lines.append({"event": "ended", "error": str(error)})

    def _process(self) -> psutil.Process:
        self._check()
        return psutil.Process(*locks.named(self._lock))

    def _check(self) -> None:
        if not self._parent.is_alive():
            raise RuntimeError(f"the training ended within the measurement: {self.lines[-1:]}")
        if any(line["event"] == "paused" for line in self.lines):
            raise RuntimeError("the training was asked to stand still")


def write_job(folder: Path, base: Path) -> None:
    """A job that is never learnt: each question has two right answers."""
    wanted = corrections()
    others = [*wanted[1:], wanted[0]]
    learnt = [_example(f"a{place}", *pair) for place, pair in enumerate(wanted)]
    learnt += [_example(f"b{place}", wanted[place][0], answer) for place, (_, answer) in enumerate(others)]
    plan = Plan(most_epochs=1_000_000, most_memory_bytes=MOST_MEMORY_BYTES)
    ids = tuple(example.id for example in learnt)
    job = Job("together", 1, os.fspath(base), "", base.stem, "", physical_cores(), corrections=ids, plan=plan)
    for name, rows in ((EXAMPLES, learnt), (REPLAY, [_example("replay", QUESTION, "git reset --soft HEAD~1")])):
        (folder / name).write_text(examples.write(rows), "utf-8")
    job.write(folder)


def _example(id: str, question: str, answer: str) -> Example:
    prompt, completion = (Message("user", question),), (Message("assistant", answer),)
    return Example(id, prompt, completion, None, 10.0, "user", "2026-11-26T00:00:00Z")


def measure(name: str, file: Path, rounds: int, threads: int, seconds: float = SECONDS) -> Row:
    """Tokens/s beside a training at work, by those beside one that stands still; a window takes so many seconds."""
    with watching() as others, tempfile.TemporaryDirectory() as folder:
        training = Training(Path(folder), file)
        try:
            training.wait_for_a_step()
            first = training.steps
            with LocalModel(file, threads) as model:
                pairs = alternate(
                    lambda: _beside(training, model, seconds), lambda: _alone(training, model, seconds), rounds
                )
            steps = training.steps - first
        finally:
            training.end()
    return _row(name, pairs, training.windows[1:], steps, others.cores, seconds)


def _beside(training: Training, model: LocalModel, seconds: float) -> float:
    return training.work_of(lambda: _speed(training.home, model, seconds))


def _alone(training: Training, model: LocalModel, seconds: float) -> float:
    with standstill(training.home):
        return _speed(training.home, model, seconds)


def _speed(home: Path, model: LocalModel, seconds: float) -> float:
    """Tokens a second from the first of an answer to its last, over as many answers as the time allows."""
    messages, sampling = [Message("user", QUESTION)], Sampling(MAX_TOKENS)
    tokens, spent, deadline = 0, 0.0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        with standstill(home):
            answer, took = stream_seconds(model, messages, sampling)
        tokens, spent = tokens + answer - 1, spent + took
        time.sleep(LULL_SECONDS)
    return tokens / spent


def _row(name: str, pairs: Pairs, windows: Sequence[float], steps: int, others: float, seconds: float) -> Row:
    ours, theirs = (statistics.median(side) for side in (pairs.ours, pairs.theirs))
    cores = statistics.median(windows) / seconds
    return Row(
        name=f"decode beside a training, {name}",
        value=pairs.ratio,
        low=min(pairs.ratios),
        high=max(pairs.ratios),
        unit="x",
        aim=f">= {LEAST:g}",
        is_reached=pairs.ratio >= LEAST,
        detail=f"{ours:.0f} beside {theirs:.0f} tokens/s; the training had {cores:.3f} cores"
        f" ({min(windows):.2f} s of a window at least) and made {steps} steps",
        others=others,
    )


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each model."""
    parser = argparse.ArgumentParser(prog="python -m bench.together", description=main.__doc__)
    parser.add_argument("models", nargs="*", help=f"seedling, {', '.join(sorted(shapes.SHAPES))}")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of a window")
    parser.add_argument("--threads", type=int, default=physical_cores(), help="of llama.cpp")
    options = parser.parse_args(arguments)
    models = options.models or ["seedling", "0.5b"]
    rows = (measure(_name(model), _file(model), options.rounds, options.threads, options.seconds) for model in models)
    table.show(rows, options.threads)


def _name(model: str) -> str:
    return model if model == "seedling" else f"{model} shape"


def _file(model: str) -> Path:
    return SEEDLING if model == "seedling" else shapes.cached(model)


if __name__ == "__main__":
    main()
