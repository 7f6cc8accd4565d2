"""Sections as plain text of a given width."""

import textwrap
from collections.abc import Iterator, Sequence

from shammah.stats.blocks import FINE, Blocks, bar, curve
from shammah.stats.numbers import in_unit
from shammah.stats.sections import Curve, Section

INDENT = GAP = "  "
LEAST_BAR, MOST_BAR = 6, 24
LEAST_COLUMN = 6
"""A column of words is cut no shorter."""
ENDS = ("now", "most")


def lines(section: Section, columns: int, blocks: Blocks = FINE) -> list[str]:
    """A section below its title: curves, table, notes."""
    room = columns - len(INDENT)
    drawn = [*_curves(section.curves, room, blocks)]
    table = [*_table(section, room, blocks)]
    notes = [line for note in section.notes for line in textwrap.wrap(plain(note), room, break_on_hyphens=False)]
    return [(INDENT + line).rstrip() for line in (*drawn, *([""] if drawn else []), *table, *notes)]


def _table(section: Section, room: int, blocks: Blocks) -> Iterator[str]:
    """The rows, each with its bar where there is room for one."""
    if not section.rows:
        return
    cells = [section.head, *(row.cells for row in section.rows)]
    widths = _fitted([max(map(len, column)) for column in zip(*cells, strict=True)], section.left, room)
    bars = min(MOST_BAR, room - _width(widths) - len(GAP))
    yield _line(section.head, widths, section.left, blocks)
    for row in section.rows:
        drawn = "" if row.bar is None or bars < LEAST_BAR else GAP + bar(row.bar, bars, blocks)
        yield _line(row.cells, widths, section.left, blocks) + drawn


def _width(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _fitted(widths: list[int], left: int, room: int) -> list[int]:
    """Widths of columns that fit together: the widest column of words gives way, numbers stay whole."""
    while _width(widths) > room and max(widths[:left]) > LEAST_COLUMN:
        widths[widths.index(max(widths[:left]))] -= 1
    return widths


def _line(cells: Sequence[str], widths: Sequence[int], left: int, blocks: Blocks) -> str:
    cut = [(_cut(plain(cell), width, blocks), width) for cell, width in zip(cells, widths, strict=True)]
    return GAP.join(f"{cell:{'<' if place < left else '>'}{width}}" for place, (cell, width) in enumerate(cut))


def plain(text: str) -> str:
    """The text in one line that steers no terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _cut(cell: str, width: int, blocks: Blocks) -> str:
    return cell if len(cell) <= width else cell[: width - 1] + blocks.cut


def _curves(curves: Sequence[Curve], room: int, blocks: Blocks) -> Iterator[str]:
    """Each curve in a line, with its newest and its greatest value; the newest values that fit."""
    told = [one for one in curves if one.says_something and len(one.values) > 1]
    if not told:
        return
    names = max(len(one.name) for one in told)
    ends = [[in_unit(value, one.unit) for value in (one.known[-1], max(one.known))] for one in told]
    now, most = (max(map(len, [name, *column])) for name, column in zip(ENDS, zip(*ends, strict=True), strict=True))
    columns = min(max(1, room - names - now - most - 3 * len(GAP)), len(told[0].values))
    yield GAP.join([" " * names, " " * columns, f"{ENDS[0]:>{now}}", f"{ENDS[1]:>{most}}"])
    for one, (newest, greatest) in zip(told, ends, strict=True):
        drawn = curve(one.values[-columns:], blocks)
        yield GAP.join([f"{one.name:<{names}}", drawn, f"{newest:>{now}}", f"{greatest:>{most}}"])
