"""What ends one process of a training ends all: a word to the others, and the code for whoever started the launcher.

A launcher ends with 1 whatever its processes ended with, and stops all as soon as one of them has ended. So the one
that fails says why before it ends, and waits until the first process, which alone writes, has written it down.
"""

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch.distributed as dist
from torch.distributed.distributed_c10d import Store

from shammah_convert.job import EXIT, RUNNING

KEY, HEARD = "alarm", "heard"
LOOK_SECONDS = 0.2
SAME_SECONDS = 2.0
"""In which an error that all processes meet has come to the first one, too."""

PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Word:
    """Why a training ends: the event of progress, its text, and the exit code."""

    event: str
    text: str
    code: int


Say = Callable[[Word], None]


class Alarm:
    """Rings in every process of a training. The first process watches for it, whatever it waits for meanwhile."""

    def __init__(self, rank: int, say: Say) -> None:
        """Take this process's rank, and what writes a word down; the first process alone is asked to."""
        self._rank, self._say, self._turn = rank, say, threading.Lock()
        self._store: Store | None = None

    def connect(self, store: Store | None) -> None:
        """Hear the others from now on, by what all write words into; None where there are none."""
        if store is None:
            return
        # A connection of its own: collectives wait on the other one. torch's stubs lack it.
        self._store = store.clone()  # type: ignore[attr-defined]
        if self._rank == 0:
            threading.Thread(target=self._watch, daemon=True).start()

    def ring(self, word: Word) -> int:
        """End the training with a word, where nobody was earlier; the code to end this process with."""
        if self._rank == 0:
            self._turn.acquire()  # for good: it is said once
            word = self._first(word)
            self._say(word)
            self._tell_that_it_is_heard()
        elif not self._is_heard_within(SAME_SECONDS):  # else the first process met the same
            self._first(Word(word.event, f"process {self._rank}: {word.text}", word.code))
            self._is_heard_within(PATIENCE_SECONDS)
        return word.code

    def wait(self) -> None:
        """Give the first process the time to say why another one is gone."""
        time.sleep(SAME_SECONDS)

    def _first(self, word: Word) -> Word:
        """The word that was rung first."""
        if self._store is None:
            return word
        with contextlib.suppress(RuntimeError):  # whoever keeps the store is gone
            mine = json.dumps([word.event, word.text, word.code])
            return Word(*json.loads(self._store.compare_set(KEY, "", mine)))
        return word

    def _watch(self) -> None:
        """Wait for a word of another process, which ends this one, whatever it is at."""
        assert self._store is not None, "alone there is nobody to hear"
        with contextlib.suppress(RuntimeError):
            while not self._store.check([KEY]):
                time.sleep(LOOK_SECONDS)
            self._turn.acquire()
            word = Word(*json.loads(self._store.get(KEY)))
            self._say(word)
            self._tell_that_it_is_heard()
            os._exit(word.code)

    def _tell_that_it_is_heard(self) -> None:
        if self._store is not None:
            with contextlib.suppress(RuntimeError):
                self._store.set(HEARD, "")

    def _is_heard_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        with contextlib.suppress(RuntimeError):
            while self._store is not None and time.monotonic() < deadline:
                if self._store.check([HEARD]):
                    return True
                time.sleep(LOOK_SECONDS)
        return False


def is_lost(error: BaseException) -> bool:
    """Whether an error says no more than that another process is gone."""
    return isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error))


class ExitFile:
    """The exit code in a file, for a parent behind a launcher. It has its block from the start: a disk may be full."""

    def __init__(self, folder: Path) -> None:
        """Say that the trainer has started."""
        self._path = folder / EXIT
        self._path.write_text(RUNNING)

    def write(self, code: int) -> None:
        """Say how it ended; one digit over another."""
        assert 0 <= code <= 9, code
        with self._path.open("r+") as stream:
            stream.write(str(code))
