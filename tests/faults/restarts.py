"""A home in memory in which processes are killed, and the next answer after each."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.anthropic_server import AnthropicServer
from tests.behaviours import Answer
from tests.faults import sound
from tests.faults.ground import Ground
from tests.faults.promise import Trials

NEXT = ("ask", "--json", "how do i list hidden files")
RESTART_SECONDS = 2.0
MEMORY = Path("/dev/shm")
ROOMS = ("cli", "cli.answering", "assembly", "local", "teacher")
"""What a command imports that answers."""


@contextlib.contextmanager
def ground(trials: Trials) -> Iterator[Ground]:
    """A ground in memory, where there is such a place: what a dead process wrote is there, also without a disk."""
    place = MEMORY if MEMORY.is_dir() else trials.folder
    temporary = tempfile.TemporaryDirectory(prefix="shammah-faults-", dir=place, ignore_cleanup_errors=True)
    with temporary as folder, AnthropicServer([Answer("du -sh .")]) as teacher:
        yield Ground(Path(folder), teacher)


def start_seconds(*rooms: str) -> float:
    """What it costs to import what lives have imported, which a restart has to do: the best of three."""
    code = (
        f"import resource, {', '.join(f'shammah.{room}' for room in rooms)};"
        "used = resource.getrusage(resource.RUSAGE_SELF); print(used.ru_utime + used.ru_stime)"
    )
    command = [sys.executable, "-P", "-c", code]
    return min(float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(3))


def restart(ground: Ground, start_seconds: float) -> float:
    """What the next answer costs the processor, which is less than 2 s."""
    seconds = min(_restarts(ground, start_seconds))
    assert seconds < RESTART_SECONDS, f"the restart took {seconds:.2f} s"
    return seconds


def _restarts(ground: Ground, start_seconds: float) -> Iterator[float]:
    """On a machine that is shared, the best of three counts."""
    for _ in range(3):
        seconds = start_seconds + sound.check_restart(ground, ground.live(NEXT))
        yield seconds
        if seconds < RESTART_SECONDS:
            return
