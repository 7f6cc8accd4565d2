"""A trainer ends with whoever started it, however that ends."""

import os
import stat
import threading
import time

LOOK_SECONDS = 0.5
ORPHANED = 1
"""The exit code of one whose parent is gone."""


def end_with_pipe() -> None:
    """Begin to wait until nobody holds the other end of stdin, which also a killed parent does not."""
    threading.Thread(target=_wait_for_pipe, daemon=True).start()


def end_with_launcher(pid: int) -> None:
    """Begin to wait until a launcher is gone; who inherits its children is not our parent."""
    threading.Thread(target=_wait_for_launcher, args=[pid], daemon=True).start()


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
