"""What the project depends on, from what pyproject.toml names to what that brings along, as it is installed here."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
CORE = "core"
OF_GRAPHICS_CARDS = ("nvidia-", "cuda-", "triton")
"""Brought by torch's builds for graphics cards; the project needs none of them, and its CPU build brings none."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package that is installed because of us.

    Attributes:
        parts: Which of our parts it serves: `core`, and extras.
        is_direct: Whether pyproject.toml names it.
    """

    name: str
    version: str
    parts: tuple[str, ...]
    is_direct: bool
    found: Distribution


def named() -> Mapping[str, tuple[str, ...]]:
    """What pyproject.toml names, by part: requirements as they stand there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    return {CORE: tuple(project["dependencies"])} | {name: tuple(rows) for name, rows in extras.items()}


@cache
def packages() -> tuple[Package, ...]:
    """All that is installed because of us, by name."""
    parts: dict[str, set[str]] = {}
    for part, rows in named().items():
        for name in _reached(rows):
            parts.setdefault(name, set()).add(part)
    direct = {key(Requirement(row).name) for rows in named().values() for row in rows}
    order = list(named())
    return tuple(
        Package(name, one.version, tuple(sorted(parts[name], key=order.index)), name in direct, one)
        for name in sorted(parts)
        if (one := _installed(name)) is not None
    )


def missing() -> list[str]:
    """What pyproject.toml names and is not installed here: the extras that a machine does without."""
    return sorted({key(Requirement(row).name) for rows in named().values() for row in rows if not _installed(row)})


def key(name: str) -> str:
    """A package's name, as indexes normalise it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _reached(rows: Iterable[str]) -> set[str]:
    """Names of what requirements bring, themselves included."""
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(row) for row in rows]
    while waiting:
        wanted = waiting.pop()
        for extra in ("", *wanted.extras):
            place = key(wanted.name), extra
            if place not in seen and not place[0].startswith(OF_GRAPHICS_CARDS):
                seen.add(place)
                waiting += _brought(wanted.name, extra)
    return {name for name, _ in seen}


def _brought(name: str, extra: str) -> Iterator[Requirement]:
    found = _installed(name)
    for row in (found.requires or ()) if found else ():
        wanted = Requirement(row)
        if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
            yield wanted


def _installed(row: str) -> Distribution | None:
    try:
        return distribution(Requirement(row).name)
    except PackageNotFoundError:
        return None
