"""How whoever answers asks a training to stand still: a file in the job folder for each process that does.

A file's name has the process's id, and its text the time of its start: a killed one pauses for nobody.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path

PREFIX = "pause-"
SAME_START_SECONDS = 2.0
"""So near are two readings of one start, which a system tells by clocks of its own; ids are not given anew so fast."""


@dataclass(frozen=True, slots=True)
class Answering:
    """A process that answers.

    Attributes:
        started: Seconds since 1970, as psutil tells it.
    """

    pid: int
    started: float

    def is_that(self, started: float) -> bool:
        """Whether a process of this id that started then is the one."""
        return abs(started - self.started) < SAME_START_SECONDS


def ask(folder: Path, who: Answering) -> Path:
    """Ask the training of a job folder to stand still until the file is gone."""
    file = folder / f"{PREFIX}{who.pid}"
    partial = file.with_name(f".{file.name}")
    partial.write_text(repr(who.started), "utf-8")
    partial.replace(file)
    return file


def asked(folder: Path) -> list[Answering]:
    """Everybody who asks a training to stand still; what is no such file is none."""
    found = []
    for file in folder.glob(f"{PREFIX}*"):
        with contextlib.suppress(ValueError, OSError):  # somebody else's, or gone again
            found.append(Answering(int(file.name.removeprefix(PREFIX)), float(file.read_text("utf-8"))))
    return found
