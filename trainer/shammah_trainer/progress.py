"""What the trainer says while it works: JSON lines, appended to one file that anyone may read along."""

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from shammah_convert.job import CANCEL, PROGRESS, Score
from shammah_trainer import pause
from shammah_trainer.budget import Budget
from shammah_trainer.fit import Cancelled, Step
from shammah_trainer.spread import ALONE, Spread


class Progress:
    """Appends to `progress.jsonl`, in the first process alone, and looks whether somebody wants it all to stop.

    Attributes:
        losses: Nats a token, step by step, as they were told.
        release: Gives back memory that can be taken again.
    """

    def __init__(self, folder: Path, spread: Spread = ALONE) -> None:
        self.losses: list[float] = []
        self.release: Callable[[], None] = lambda: None
        self._folder, self._spread = folder, spread
        self._stream: TextIO | None = None
        if not spread.is_first:
            return
        self._stream = (folder / PROGRESS).open("a", encoding="utf-8", buffering=1)
        if not _ends_whole(folder / PROGRESS):  # whoever wrote before was killed within a line
            self._stream.write("\n")

    def say(self, event: str, **facts: object) -> None:
        """Append a line."""
        if self._stream is not None:
            self._stream.write(json.dumps({"event": event, "at": round(time.time(), 3), **facts}) + "\n")

    def budget(self, budget: Budget) -> None:
        """How it is done on this machine."""
        self.say("planned", **asdict(budget))

    def check(self) -> None:
        """Raise Cancelled, in all processes, where the folder of one holds a file of that name."""
        if self._spread.any(self._is_unwanted()):
            raise Cancelled("it was cancelled")

    def breathe(self) -> None:
        """Stand still for as long as somebody who answers needs the memory.

        Raises:
            Cancelled: Somebody wanted it all to stop meanwhile.
        """
        if not pause.is_asked_for(self._folder):
            return
        self.say("paused")
        self.release()
        pause.give_back()
        while pause.is_asked_for(self._folder):
            if self._is_unwanted():
                if self._spread.is_alone:
                    raise Cancelled("it was cancelled")
                break  # several processes stop together, after the step
            time.sleep(pause.LOOK_SECONDS)
        self.say("continued")

    def _is_unwanted(self) -> bool:
        return (self._folder / CANCEL).exists()

    def resumed(self, losses: Sequence[float]) -> None:
        """An earlier process made these steps."""
        self.losses = [round(loss, 5) for loss in losses]
        self.say("resumed", step=len(losses))

    def set_aside(self, checkpoint: Path, name: Path) -> None:
        """A checkpoint was damaged, and has another name now."""
        self.say("set_aside", checkpoint=checkpoint.name, name=name.name)

    def step(self, step: Step) -> None:
        """A step was made."""
        self.check()
        self.losses.append(round(step.loss, 5))
        self.say(
            "step",
            epoch=step.epoch,
            step=step.step,
            steps=step.steps,
            loss=self.losses[-1],
            seconds_left=round(step.seconds_left, 1),
        )

    def epoch(self, epoch: int, aims: Score) -> None:
        """An epoch is over."""
        self.say("epoch", epoch=epoch, loss=round(aims.loss, 5), exact=aims.exact, rows=aims.rows)

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()


def _ends_whole(file: Path) -> bool:
    """Whether the last line has its end, or there is none."""
    with file.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - 1))
        return stream.read(1) in (b"", b"\n")
