"""Figures and how they are taken: two sides in turn, medians, and how busy others kept the machine."""

import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from shammah.hardware import physical_cores

# Cores that others kept busy while a figure was taken; above it, the figure is not to be trusted.
CALM_CORES = 0.2
MEDIAN = 0.5


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of the table.

    Attributes:
        name: What was measured.
        value: A median, or a ratio of two: of lower quartiles, where others disturb a figure most.
        low: The lowest value of all rounds.
        high: The highest.
        unit: "x" for a ratio to the peer, "ms" otherwise.
        aim: What was promised; None for a figure that only informs.
        is_reached: Whether it was; None without an aim.
        detail: Both sides' own figures, or more of the distribution.
        others: Cores that other processes kept busy meanwhile, on average.
    """

    name: str
    value: float
    low: float
    high: float
    unit: str
    aim: str | None
    is_reached: bool | None
    detail: str
    others: float

    @property
    def is_calm(self) -> bool:
        """Whether others left the machine alone."""
        return self.others <= CALM_CORES


@dataclass(frozen=True, slots=True)
class Pairs:
    """Two sides' figures, taken in turn: `ours[i]` right before `theirs[i]`.

    Attributes:
        share: Of each side's figures, how many lie below the one that counts.
    """

    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    share: float = MEDIAN

    @property
    def sides(self) -> tuple[float, float]:
        """The figure of each side that counts."""
        return percentile(self.ours, self.share), percentile(self.theirs, self.share)

    @property
    def ratio(self) -> float:
        """Ours by theirs."""
        ours, theirs = self.sides
        return ours / theirs

    @property
    def ratios(self) -> list[float]:
        """Round by round."""
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]


def at_most(name: str, pairs: Pairs, most: float, detail: str, others: float) -> Row:
    """A ratio of two sides, where at most so much is aimed at."""
    low, high, is_reached = min(pairs.ratios), max(pairs.ratios), pairs.ratio <= most
    return Row(name, pairs.ratio, low, high, "x", f"<= {most:g}", is_reached, detail, others)


def alternate(ours: Callable[[], float], theirs: Callable[[], float], rounds: int) -> Pairs:
    """Measure A B A B, so that both sides meet the same machine; the first round warms up and is dropped."""
    pairs = [(ours(), theirs()) for _ in range(rounds + 1)][1:]
    return Pairs(tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that a share of all values does not pass."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


class Others:
    """How many cores other processes kept busy, known when the measured work is over."""

    cores = 0.0


@contextmanager
def watching() -> Iterator[Others]:
    """Watch the rest of the machine; our children count as ours once they have ended."""
    others, start, busy, own = Others(), time.monotonic(), _busy_seconds(), _own_seconds()
    yield others
    seconds = _busy_seconds() - busy - (_own_seconds() - own)
    others.cores = max(0.0, seconds / max(1e-9, time.monotonic() - start))


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "nice", 0.0))


def _own_seconds() -> float:
    return sum(os.times()[:4])


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    return {
        "cpu": _cpu_name(),
        "cores": physical_cores(),
        "load": [round(load, 2) for load in os.getloadavg()],
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def as_object(row: Row) -> dict[str, Any]:
    """A row for JSON, numbers rounded."""
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(row).items()}
