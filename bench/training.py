"""Steps, memory and start of training on packed blocks, beside peft on the same file unpacked.

`python -m bench.training 0.5b` takes ten minutes. Each side is a process of its own (`bench.train_step`); they take
their steps in turn, on the same tokens. `python -m bench.training 7b` runs our side alone, for its memory: peft on
bfloat16 would take 15 GB for the weights.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench import shapes, table
from bench.measure import Row, watching
from bench.train_step import RANK
from shammah.child import ENVIRONMENT
from shammah.hardware import physical_cores
from shammah_trainer.budget import Machine, Size, plan

GIGABYTE = 1e9
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Aims:
    """What was promised: tokens/s at least, memory and start at most, by those of a peer."""

    speed: float
    memory: float | None = None
    start: float | None = None


TOKENS, ROUNDS = 512, 5
PEERS = {
    "bf16": Aims(speed=1.0, memory=0.40),
    "bf16 without checkpoints": Aims(speed=0.7, memory=0.40),
    "float32": Aims(speed=2.0),
}
START_AIM = 0.3
WITHIN = {"1.5b": 1_100_000_000, "7b": 1_800_000_000}
"""What our side may take beyond the file of a shape, by its own planner and in truth."""
ALONE = ("7b",)
"""Shapes without a peer."""
ALONE_TOKENS = 256


@dataclass(frozen=True, slots=True)
class Work:
    """What each side does: steps of so many tokens."""

    tokens: int
    rounds: int
    threads: int


class Side:
    """A training process that takes a step when it is asked to."""

    def __init__(self, side: str, file: Path, tokens: int, threads: int, *options: str) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "bench.train_step", side, os.fspath(file)]
        ours = ENVIRONMENT if side == "packed" else {}
        self._child = subprocess.Popen(
            [*command, "--tokens", str(tokens), "--threads", str(threads), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | ours | {"PYTHONPATH": os.fspath(ROOT)},  # a trainer does not look where it stands
        )
        self.first = self._read()

    def step(self) -> dict[str, Any]:
        """Take one."""
        assert self._child.stdin is not None, "its stdin is our pipe"
        self._child.stdin.write("\n")
        self._child.stdin.flush()
        return self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._child.__exit__(kind, error, at)

    def _read(self) -> dict[str, Any]:
        assert self._child.stdout is not None, "its stdout is our pipe"
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._child.args!r} ended with code {self._child.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def measure(name: str, file: Path, work: Work, workspace: int = 0) -> Iterator[Row]:
    """Every figure of one file, beside each peer; one after the other, so that memory is there for both."""
    for peer, aims in PEERS.items():
        kind, *without = peer.split(" without ")
        options = [f"--no-{part}" for part in without]
        with (
            watching() as others,  # children count as ours once they have ended
            Side("packed", file, work.tokens, work.threads, "--workspace", str(workspace)) as ours,
            Side(kind, file, work.tokens, work.threads, *options) as theirs,
        ):
            turns = [(ours.step(), theirs.step()) for _ in range(work.rounds)]
        times = [(our["seconds"], their["seconds"]) for our, their in turns]
        yield _speed(f"train, {name}, tokens/s by {peer}", times, work.tokens, aims.speed, others.cores)
        peak, their_peak = (turn["peak_bytes"] for turn in turns[-1])
        if aims.memory:
            yield _at_most(f"train, {name}, peak by {peer}", peak, their_peak, aims.memory, others.cores)
        if peer == "bf16":
            first, their_first = ours.first["ready_seconds"], theirs.first["ready_seconds"]
            yield _at_most(f"train, {name}, opened by bf16", first, their_first, None, others.cores, "s")
            yield _spare(name, file, peak, others.cores)
    yield _opened(name, file, work)


def _opened(name: str, file: Path, work: Work) -> Row:
    """From the start of the process to the first step, beside peft on the file as transformers itself unpacks it."""
    seconds = {}
    with watching() as others:
        for who in ("packed", "transformers") * 2:  # the second time counts: then all that is imported is in memory
            with Side(who, file, work.tokens, work.threads) as side:
                seconds[who] = side.first["ready_seconds"]
    ours, theirs = seconds["packed"], seconds["transformers"]
    return _at_most(f"train, {name}, opened by transformers", ours, theirs, START_AIM, others.cores, "s")


def measure_alone(name: str, file: Path, size: Size, work: Work, most_bytes: int) -> Iterator[Row]:
    """Our side within so much memory beyond the file, as the trainer itself plans it."""
    machine = Machine(size.file_bytes + most_bytes, work.threads, is_fast_in_bfloat16=True, is_bounded=True)
    budget = plan(machine, size, RANK, work.tokens)
    options = ["--workspace", str(budget.workspace_values)]
    options += ["--thrifty"] * budget.is_thrifty + ["--no-checkpoints"] * (not budget.is_checkpointed)
    with watching() as others, Side("packed", file, budget.batch_tokens, work.threads, *options) as side:
        turns = [side.step() for _ in range(work.rounds)]
    speeds = [budget.batch_tokens / turn["seconds"] for turn in turns]
    low, high, middle = min(speeds), max(speeds), statistics.median(speeds)
    detail = f"{budget.batch_tokens} tokens a step, {budget.needed_bytes / GIGABYTE:.2f} GB planned"
    yield Row(f"train, {name}, tokens/s", middle, low, high, "/s", None, None, detail, others.cores)
    yield _spare(name, file, turns[-1]["peak_bytes"], others.cores, most_bytes)


def _spare(name: str, file: Path, peak: int, others: float, most: int | None = None) -> Row:
    spare = (peak - file.stat().st_size) / GIGABYTE
    aim, is_reached = (f"<= {most / GIGABYTE:g}", spare <= most / GIGABYTE) if most else (None, None)
    detail = f"{peak / GIGABYTE:.2f} GB, {file.name}"
    return Row(f"train, {name}, peak less the file", spare, spare, spare, "GB", aim, is_reached, detail, others)


def _speed(name: str, times: Sequence[tuple[float, float]], tokens: int, least: float, others: float) -> Row:
    ratios = [theirs / ours for ours, theirs in times]
    ours, theirs = (statistics.median(side) for side in zip(*times, strict=True))
    detail = f"{tokens / ours:.0f} beside {tokens / theirs:.0f} tokens/s"
    value = theirs / ours
    return Row(name, value, min(ratios), max(ratios), "x", f">= {least:g}", value >= least, detail, others)


def _at_most(name: str, ours: float, theirs: float, most: float | None, others: float, unit: str = "GB") -> Row:
    value, scale = ours / theirs, GIGABYTE if unit == "GB" else 1.0
    detail = f"{ours / scale:.2f} beside {theirs / scale:.2f} {unit}"
    aim, is_reached = (None, None) if most is None else (f"<= {most:g}", value <= most)
    return Row(name, value, value, value, "x", aim, is_reached, detail, others)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table of one shape."""
    parser = argparse.ArgumentParser(prog="python -m bench.training", description=main.__doc__)
    parser.add_argument("shape", choices=sorted(shapes.SHAPES), nargs="?", default="0.5b")
    parser.add_argument("--tokens", type=int, help=f"a step; {TOKENS}, and {ALONE_TOKENS} of 7b, if not given")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--threads", type=int, default=physical_cores())
    options = parser.parse_args(arguments)
    file, config = shapes.cached(options.shape), shapes.SHAPES[options.shape]
    size, name = Size(config, shapes.rows_of(options.shape), file.stat().st_size), f"{options.shape} shape"
    work = Work(options.tokens or (ALONE_TOKENS if options.shape in ALONE else TOKENS), options.rounds, options.threads)
    if options.shape in ALONE:
        print("Our side alone: the peers would hold all weights in bfloat16, 15 GB.")
    rows = [] if options.shape in ALONE else [measure(name, file, work, size.layer_values)]
    if options.shape in WITHIN:
        rows.append(measure_alone(f"{name}, in little memory", file, size, work, WITHIN[options.shape]))
    table.show(chain.from_iterable(rows), work.threads)


if __name__ == "__main__":
    main()
