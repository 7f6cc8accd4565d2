"""Bars and curves of block characters, for terminals."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Blocks:
    """The characters that bars and curves are drawn with.

    Attributes:
        across: From empty to full, how far a bar reaches into its last column.
        up: From low to high, the heights of a curve.
        cut: What stands for the rest of a word that is cut.
    """

    across: str
    up: str
    cut: str


FINE = Blocks(" ▏▎▍▌▋▊▉█", "▁▂▃▄▅▆▇█", "…")
PLAIN = Blocks(" #", "_.:-=+*#", "~")
"""For output that knows no block characters."""


def bar(share: float, columns: int, blocks: Blocks = FINE) -> str:
    """A bar that fills a share of the columns; what is more than nothing shows."""
    parts = len(blocks.across) - 1
    filled = max(round(min(1.0, share) * columns * parts), 1 if share > 0 else 0)
    whole, rest = divmod(filled, parts)
    return blocks.across[-1] * whole + (blocks.across[rest] if rest else "")


def curve(values: Sequence[float | None], blocks: Blocks = FINE) -> str:
    """A column a value, the highest from zero to the greatest of them; a gap where there is no value."""
    top = max((value for value in values if value is not None), default=0.0)
    return "".join(" " if value is None else blocks.up[_step(value, top, blocks)] for value in values)


def _step(value: float, top: float, blocks: Blocks) -> int:
    return min(len(blocks.up) - 1, int(max(0.0, value) / top * len(blocks.up))) if top > 0 else 0
