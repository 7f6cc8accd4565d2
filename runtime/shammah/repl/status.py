"""The line below the prompt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shammah.cli.screen import harmless, width

AdapterSet = Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the status line tells.

    Attributes:
        model: Which model answers, or what it is waited for.
        adapters: Applied from the next answer on, each with its scale.
        route: Where the last answer came from; before the first, where answers may come from.
        waiting: Examples that no training has seen.
        training: How far a training is; empty where there is none.
    """

    model: str = ""
    adapters: AdapterSet = ()
    route: str = ""
    waiting: int = 0
    training: str = ""


def lines(facts: Facts, columns: int) -> list[str]:
    """The status in so many columns: one line, and one more while there is a training."""
    adapters = ", ".join(name if scale == 1.0 else f"{name}:{scale:g}" for name, scale in facts.adapters)
    examples = "1 example waits" if facts.waiting == 1 else f"{facts.waiting} examples wait"
    long = [facts.model, adapters or "no adapter", facts.route, f"{examples} for training"]
    short = [facts.model, adapters or "no adapter", facts.route, f"{facts.waiting} wait"]
    joined = [" · ".join(filter(None, parts)) for parts in (long, short)]
    line = next((text for text in joined if width(text) <= columns), joined[-1])
    return [cut(harmless(text), columns) for text in (line, facts.training) if text]


def cut(text: str, columns: int) -> str:
    """The text, with an ellipsis where it is too long."""
    if width(text) <= columns:
        return text
    while text and width(text) >= columns:
        text = text[:-1]
    return text.rstrip() + "…"


def step_in_words(number: int, line: Mapping[str, Any]) -> str:
    """A training's step in one line of at most 60 columns."""
    seconds = round(line["seconds_left"])
    left = f"{seconds} s" if seconds < 100 else f"{seconds // 60} min"
    return (
        f"training {number}: epoch {line['epoch']}, step {line['step']}/{line['steps']}, loss {line['loss']:.3f},"
        f" {left} left"
    )
