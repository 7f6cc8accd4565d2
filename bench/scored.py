"""Figures of quality: ours beside the reference on the same draws, as a table or JSON."""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.scores import paired

Figures = Callable[[Path, int, int, int], Iterator["Figure"]]
WIDTHS = (66, 11, 8, 17, 8, 9)


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table.

    Attributes:
        reference: The reference's mean.
        ours: Our mean on the same draws.
        gain: By how much ours is better, whichever direction is.
        half_width: Half of the gain's paired 95% interval.
        aim: What was promised; None for a figure that only informs.
        draws: Number of splits or streams.
    """

    name: str
    reference: float
    ours: float
    gain: float
    half_width: float
    aim: float | None
    draws: int

    @property
    def verdict(self) -> str:
        """What the interval says of the gain."""
        if self.gain > self.half_width:
            return "better"
        return "worse" if -self.gain > self.half_width else "even"


def figure(
    name: str, theirs: Sequence[float], ours: Sequence[float], aim: float | None, is_less_better: bool = False
) -> Figure:
    """A row from both sides' values, draw by draw."""
    gain = paired(theirs, ours) if is_less_better else paired(ours, theirs)
    return Figure(name, float(np.mean(theirs)), float(np.mean(ours)), gain.gain, gain.half_width, aim, len(ours))


def main(about: str | None, figures: Figures, arguments: Sequence[str] | None = None) -> None:
    """Print a bench's figures as they come."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--data", type=Path, required=True, help="the folder of outcomes")
    parser.add_argument("--first-seed", type=int, default=0, help="0 is what is reported; tune on others")
    parser.add_argument("--splits", type=int, default=20, help="half-splits offline")
    parser.add_argument("--seeds", type=int, default=5, help="streams online")
    parser.add_argument("--json", action="store_true", dest="as_json", help="write one JSON object")
    options = parser.parse_args(arguments)
    measured = figures(options.data, options.first_seed, options.splits, options.seeds)
    if options.as_json:
        rows = [asdict(figure) | {"verdict": figure.verdict} for figure in measured]
        print(json.dumps({"data": str(options.data), "rows": rows}))
        return
    show(measured)


def show(figures: Iterator[Figure]) -> None:
    """Print rows as they come."""
    _print_line("what", "reference", "ours", "gain, 95%", "aim", "verdict")
    for one in figures:
        gain = f"{one.gain:+.3f} +-{one.half_width:.3f}"
        aim = "-" if one.aim is None else f"{one.aim:g}"
        _print_line(one.name, f"{one.reference:.3f}", f"{one.ours:.3f}", gain, aim, one.verdict)


def _print_line(*cells: str) -> None:
    print("".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip(), flush=True)
