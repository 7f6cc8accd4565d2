"""The figures as a table for people."""

import os
from collections.abc import Iterable

from bench.measure import CALM_CORES, Row, machine
from shammah.hardware import physical_cores

BUSY_LOAD = 0.5
WIDTHS = (44, 9, 15, 9, 9, 8)


def show(rows: Iterable[Row], threads: int) -> None:
    """Print rows as they come, below the machine that they were taken on."""
    facts = machine()
    print(f"{facts['cpu']}, {facts['cores']} cores, {threads} threads, load {facts['load'][0]:g}, {facts['system']}")
    if os.getloadavg()[0] > BUSY_LOAD * physical_cores():
        print("WARNING: the load is high; do not quote these figures.")
    _print_line("what", "median", "min - max", "aim", "reached", "others")
    for row in rows:
        _print_row(row)


def _print_row(row: Row) -> None:
    reached = "-" if row.is_reached is None else "yes" if row.is_reached else "NO"
    spread = f"{row.low:.2f} - {row.high:.2f}"
    _print_line(row.name, f"{row.value:.2f} {row.unit}", spread, row.aim or "-", reached, f"{row.others:.2f}")
    print(f"    {row.detail}" + ("" if row.is_calm else f"; WARNING: others kept over {CALM_CORES:g} cores busy"))


def _print_line(*cells: str) -> None:
    print("".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip(), flush=True)
