"""A promise: a sentence that a user may rely on, and what tries to break it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SEEDED_SHARE = 0.01
"""Of all trials, that CI makes each time."""


@dataclass(frozen=True, slots=True)
class Trials:
    """How often a promise is tried.

    Attributes:
        count: So many times.
        seed: Decides what is tried; the same seed tries the same.
        folder: An empty one, for all that a trial writes.
    """

    count: int
    seed: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Promise:
    """What is promised.

    Attributes:
        name: As `python -m tests.faults NAME` takes it.
        part: What can fail: the heading under which it stands.
        claim: What holds whatever happens; a sentence.
        unit: Of what is counted: "kills", "mutated files".
        full: So many trials prove it.
        check: Makes them, raises AssertionError where it is broken, and says in a few words what was seen.
        least: So many trials CI makes, where 1% of them would be fewer.
    """

    name: str
    part: str
    claim: str
    unit: str
    full: int
    check: Callable[[Trials], str]
    least: int = 1

    def count(self, is_full: bool) -> int:
        """How many trials a run makes."""
        return self.full if is_full else max(self.least, round(self.full * SEEDED_SHARE))
