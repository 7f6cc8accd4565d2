"""A trainer ends with whoever started it, however that ends."""

import ctypes
import os
import signal
import stat
import sys
import threading
import time

LOOK_SECONDS = 0.5
ORPHANED = 1
"""The exit code of one whose parent is gone."""

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def end_with_pipe() -> None:
    """Begin to wait until nobody holds the other end of stdin, which also a killed parent does not."""
    threading.Thread(target=_wait_for_pipe, daemon=True).start()


def end_with_launcher(pid: int) -> None:
    """Begin to wait until a launcher is gone; who inherits its children is not our parent."""
    threading.Thread(target=_wait_for_launcher, args=[pid], daemon=True).start()


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent dies, where it can.

    A parent that is killed while the training stands still for an answer leaves a stopped process, which cannot see its
    pipe closed: it would hold its memory until the next answer lets it go on.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def is_pipe(descriptor: int) -> bool:
    """Whether a file descriptor is a pipe's."""
    return stat.S_ISFIFO(os.fstat(descriptor).st_mode)


def _wait_for_pipe() -> None:
    while os.read(0, 1024):
        pass
    os._exit(ORPHANED)


def _wait_for_launcher(pid: int) -> None:
    while os.getppid() == pid:
        time.sleep(LOOK_SECONDS)
    os._exit(ORPHANED)
