"""How well both heads decide, as a line of `metrics/training.jsonl` after each lesson."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shammah.journal import Journal
from shammah.rows import now

RECENT_QUESTIONS = 100
"""Rates and means are of so many of the newest."""


def file(home: Path) -> Path:
    """Where the metrics are."""
    return home / "metrics" / "training.jsonl"


def note(home: Path, journal: Journal, lineage: str, rates: Mapping[str, float | None]) -> None:
    """Add a line with all that is known now; `rates` are the heads' learning rates, None where a learner has none."""
    scores = asdict(journal.scores.of(lineage, RECENT_QUESTIONS))
    line = {"created": now(), "lineage": lineage, "query_count": journal.count(lineage)} | scores | dict(rates)
    path = file(home)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("ab") as stream:
        # A line that a kill or a full disk cut off must not swallow the next one.
        start = b"\n" if stream.tell() and not _ends_in_newline(path) else b""
        stream.write(start + json.dumps(line).encode() + b"\n")


def last(home: Path, lineage: str) -> dict[str, Any] | None:
    """The newest whole line of a base lineage; None where there is none."""
    try:
        lines = file(home).read_bytes().splitlines()
    except FileNotFoundError:
        return None
    for line in reversed(lines):
        try:
            found: dict[str, Any] = json.loads(line)
        except ValueError:  # it was cut off
            continue
        if found.get("lineage") == lineage:
            return found
    return None


def _ends_in_newline(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"
