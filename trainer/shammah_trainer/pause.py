"""Standing still while somebody answers, and giving back memory meanwhile."""

import ctypes
import sys
from pathlib import Path

import psutil
import torch

from shammah_convert import pauses
from shammah_convert.pauses import Answering

LOOK_SECONDS = 0.1


def is_asked_for(folder: Path) -> bool:
    """Whether a process that lives asks the training of a job folder to stand still."""
    return any(map(_lives, pauses.asked(folder)))


def give_back() -> None:
    """Return to the system what was freed, where its allocator can be told to."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):  # musl has none
        libc.malloc_trim(0)


def _lives(who: Answering) -> bool:
    try:
        process = psutil.Process(who.pid)
        return process.status() != psutil.STATUS_ZOMBIE and who.is_that(process.create_time())
    except psutil.Error:
        return False
