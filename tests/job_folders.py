"""Job folders made by hand, and the command that works on them."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shammah_convert import examples
from shammah_convert.chat import Message
from shammah_convert.examples import Example
from shammah_convert.job import EXAMPLES, GENERAL, HELD_OUT, PROGRESS, REPLAY, Job, Plan

# A random model is sure of nothing: whatever it learns moves all else.
PLAN = Plan(rank=4, alpha=8.0, replay_rows=2, most_tokens=200, most_drift=100.0)


def example(id: str, *prompt: Message | str, answer: str = "ls -A", weight: float = 1.0) -> Example:
    """A target; a text in the prompt is the user's."""
    said = tuple(Message("user", part) if isinstance(part, str) else part for part in prompt)
    return Example(id, said, (Message("assistant", answer),), None, weight, "user", "2026-11-25T12:00:00Z")


LEARNT = (
    example("right", "list files", weight=10.0),
    example("plain", "where am i", answer="pwd"),
    example("long", "x" * 300),
)
HELD = (example("held", "who am i", answer="whoami"),)
OWN = tuple(example(f"general-{letter}", f"tell {letter}", answer=letter) for letter in "xy")
KEPT = tuple(example(f"replay-{letter}", f"say {letter}", answer=letter) for letter in "abc")


def job_on(base: Path) -> Job:
    """A job whose first example is a correction."""
    return Job(
        name="corrections-v3",
        version=3,
        base_path=str(base),
        base_sha256="ab" * 32,
        base_name="random qwen",
        examples_sha256="cd" * 32,
        threads=1,
        corrections=("right",),
        plan=PLAN,
    )


def prepare(folder: Path, job: Job, learnt: Sequence[Example] = LEARNT) -> Path:
    """Write all that the trainer needs."""
    job.write(folder)
    for name, what in ((EXAMPLES, learnt), (HELD_OUT, HELD), (GENERAL, OWN), (REPLAY, KEPT)):
        (folder / name).write_text(examples.write(what), "utf-8")
    return folder


def command(folder: Path, *options: str) -> list[str]:
    """The trainer, as the runtime starts it."""
    return [sys.executable, "-P", "-m", "shammah_trainer", str(folder), *options]


def told(folder: Path) -> list[dict[str, Any]]:
    """The lines of progress."""
    return [json.loads(line) for line in (folder / PROGRESS).read_text("utf-8").splitlines()]
