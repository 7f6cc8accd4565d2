"""How a training shows: a bar on a terminal, JSON lines elsewhere."""

import contextlib
import json
import sys
from collections.abc import Iterator
from typing import Any, Protocol

from shammah.cli.screen import write


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
        write(json.dumps(line, ensure_ascii=False))


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
        match line["event"]:
            case "answering":
                self._show("Asking the model what it knows (once)", line["done"], line["of"], "")
            case "paraphrasing":
                self._show("Asking Claude for other words", None, None, "")
            case "opening":
                self._show(f"Opening {line['base']}", None, None, "")
            case "comparing":
                self._show(f"Looking at {line['examples']} examples", None, None, "")
            case "resumed":
                self._show(f"Going on after step {line['step']}", None, None, "")
            case "step":
                facts = f"epoch {line['epoch']}, step {line['step']}, loss {line['loss']:.3f}{self._learnt}"
                left = f", at most {_duration(line['seconds_left'])} left"
                self._show("Training", line["step"], line["steps"], facts + left)
            case "epoch":
                self._learnt = f", {line['exact']} of {line['rows']} learnt"
            case "evaluating":
                self._show("Comparing", None, None, "")
            case "evaluated":
                self._show("Done", 1, 1, "")

    def _show(self, what: str, done: float | None, of: float | None, facts: str) -> None:
        self._progress.update(self._task, description=what, completed=done or 0, total=of, facts=facts)


def _duration(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole} s" if whole < 100 else f"{whole // 60} min"
