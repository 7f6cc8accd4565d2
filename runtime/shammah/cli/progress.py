"""How a training shows: a bar on a terminal, JSON lines elsewhere."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from shammah.amounts import gigabytes
from shammah.cli.screen import json_line, write

# What is shown of an event that has no end in sight.
STAGES = {
    "paraphrasing": "Asking the teacher for other words",
    "opening": "Opening {base}",
    "comparing": "Looking at {examples} examples",
    "paused": "Standing still while a question is answered",
    "continued": "Training",
    "resumed": "Going on after step {step}",
    "evaluating": "Comparing",
}


class Shown(Protocol):
    """Whatever shows a training."""

    def hear(self, line: dict[str, Any]) -> None:
        """Show a line of progress."""
        ...


@contextlib.contextmanager
def progress() -> Iterator[Shown]:
    """Show a training where stdout goes."""
    if not sys.stdout.isatty():
        yield Lines()
        return
    from rich.console import Console

    bar = Bar(Console(stderr=True))
    try:
        yield bar
    finally:
        bar.close()


class Lines:
    """Each line of progress as it is, on stdout."""

    def hear(self, line: dict[str, Any]) -> None:
        """Write it."""
        write(json_line(line))


class Bar:
    """A bar with epoch, step, loss and time left."""

    def __init__(self, console: Any) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[facts]}"), console=console
        )
        self._task = self._progress.add_task("Starting the trainer", total=None, facts="")
        self._learnt = ""
        self._progress.start()

    def close(self) -> None:
        """Leave the bar as it is."""
        self._progress.stop()

    def hear(self, line: dict[str, Any]) -> None:
        """Move the bar."""
        event = line["event"]
        if event in STAGES:
            self._show(STAGES[event].format_map(line), None, None, "")
            return
        match event:
            case "answering":
                self._show("Asking the model what it knows (once)", line["done"], line["of"], "")
            case "planned":
                self._say(plan_in_words(line))
            case "set_aside":
                self._say(
                    f"{line['checkpoint']} was damaged. It is set aside as {line['name']}, and the training goes on"
                    " from the checkpoint before it, or from the beginning."
                )
            case "step":
                facts = f"epoch {line['epoch']}, step {line['step']}, loss {line['loss']:.3f}{self._learnt}"
                left = f", at most {_duration(line['seconds_left'])} left"
                self._show("Training", line["step"], line["steps"], facts + left)
            case "epoch":
                self._learnt = f", {line['exact']} of {line['rows']} learnt"
            case "evaluated":
                self._show("Done", 1, 1, "")

    def _say(self, text: str) -> None:
        """A line that stays, above the bar."""
        self._progress.console.print(text, markup=False, highlight=False)

    def _show(self, what: str, done: float | None, of: float | None, facts: str) -> None:
        self._progress.update(self._task, description=what, completed=done or 0, total=of, facts=facts)


def plan_in_words(line: Mapping[str, Any]) -> str:
    """How a training is done on this machine."""
    kind = "bfloat16" if line["is_bfloat16"] else "float32"
    return (
        f"Planned: {line['batch_tokens']:,} tokens at a time, rank {line['rank']}, {kind},"
        f" about {gigabytes(line['needed_bytes'])}"
    )


def _duration(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole} s" if whole < 100 else f"{whole // 60} min"
