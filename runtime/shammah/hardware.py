"""What this machine has, and how busy others keep it."""

import contextlib
import os
import platform
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from shammah.errors import DiskTooSmall

# Below this window the kernel's 10 ms ticks say nothing.
SHORTEST_WINDOW_SECONDS = 0.05
# From sys/resource.h of macOS; Python has them from 3.12 on.
PRIO_DARWIN_PROCESS, PRIO_DARWIN_BG = 4, 0x1000


def physical_cores() -> int:
    """Cores that this process may use, hyper-threads counted once."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(usable, psutil.cpu_count(logical=False) or usable))


def ram_available_bytes() -> int:
    """RAM that can be taken without swapping."""
    return int(psutil.virtual_memory().available)


def check_disk(folder: Path, needed_bytes: int) -> None:
    """Check that so much can be written into a folder.

    Raises:
        DiskTooSmall: It cannot.
    """
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        digits = 1 if needed_bytes >= 1e9 else 3  # a small model's megabytes
        sizes = [f"{count / 1e9:.{digits}f} GB" for count in (needed_bytes, free)]
        raise DiskTooSmall(f"this takes {sizes[0]}, and {sizes[1]} are free in {folder}")


def is_on_battery() -> bool:
    """Whether the machine runs down its battery right now."""
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return battery is not None and not battery.power_plugged


@dataclass(frozen=True, slots=True)
class _Reading:
    at: float
    all_seconds: float
    own_seconds: float


class BusyMeter:
    """Measures how many cores other processes keep busy, from its creation on.

    Our own background work does not count: it runs at idle priority, and gives way by itself.
    """

    def __init__(self, ours: Iterable[int] = ()) -> None:
        """Start measuring.

        Args:
            ours: Processes that do not count.
        """
        self._ours = tuple(ours)
        self._start = self._read()

    def busy_cores(self) -> float:
        """Cores kept busy by others since the start; 0 where too little time has passed to tell."""
        now = self._read()
        window = now.at - self._start.at
        if window < SHORTEST_WINDOW_SECONDS:
            return 0.0
        others = (now.all_seconds - self._start.all_seconds) - (now.own_seconds - self._start.own_seconds)
        return max(0.0, others / window)

    def threads(self) -> int:
        """Threads for llama.cpp: the physical cores that nobody else keeps busy, one at least.

        llama.cpp spins at its barriers: one thread too many costs more than one too few, also beside a process
        of lower priority (measured beside one at nice 10: 2.9 s a question with two threads, 0.9 s with one).
        """
        return max(1, physical_cores() - round(self.busy_cores()))

    def _read(self) -> _Reading:
        times = psutil.cpu_times()
        busy = times.user + times.system + getattr(times, "nice", 0.0)
        own = os.times()
        ours = sum(_cpu_seconds(pid) for pid in self._ours)
        return _Reading(time.monotonic(), busy, own.user + own.system + ours)


def _cpu_seconds(pid: int) -> float:
    """What a process has used so far; nothing where it is gone."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def give_way(pid: int = 0) -> None:
    """Put a process, ourselves by default, behind all others: nice 19, and idle scheduling or what comes near it."""
    os.setpriority(os.PRIO_PROCESS, pid, 19)
    if platform.system() == "Darwin":
        # setpriority(2): processor, disk and network wait for all others. Where a sandbox forbids it, nice 19 stays.
        with contextlib.suppress(PermissionError):
            os.setpriority(PRIO_DARWIN_PROCESS, pid, PRIO_DARWIN_BG)
    elif hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
        # A session of its own is weighed as a group, whatever its processes' priorities (sched(7), autogroup).
        with contextlib.suppress(OSError):  # a kernel without groups has no such file
            if pid and os.getsid(pid) == pid:
                Path(f"/proc/{pid}/autogroup").write_text("19")
