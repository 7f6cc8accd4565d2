"""What a terminal shows of a training."""

import io
from typing import Any

import pytest
from rich.console import Console

from shammah.cli.progress import Bar, plan_in_words

PLANNED = {
    "event": "planned",
    "batch_tokens": 2048,
    "most_tokens": 600,
    "rank": 16,
    "threads": 4,
    "is_bfloat16": True,
    "is_checkpointed": True,
    "is_thrifty": False,
    "workspace_values": 10,
    "needed_bytes": 1_400_000_000,
}


def shown(*lines: dict[str, Any]) -> str:
    stream = io.StringIO()
    bar = Bar(Console(file=stream, width=120, force_terminal=False))
    try:
        for line in lines:
            bar.hear(line)
    finally:
        bar.close()
    return stream.getvalue()


def test_the_plan_is_one_short_line() -> None:
    assert plan_in_words(PLANNED) == "Planned: 2,048 tokens at a time, rank 16, bfloat16, about 1.4 GB"
    assert ", float32, " in plan_in_words(PLANNED | {"is_bfloat16": False})


def test_the_plan_stays_above_the_bar() -> None:
    comparing = {"event": "comparing", "examples": 3}
    text = shown(PLANNED, comparing)
    assert text.startswith("Planned: 2,048 tokens at a time, rank 16, bfloat16, about 1.4 GB\n")
    assert text.count("Planned") == 1


@pytest.mark.parametrize("event", ["opened by a newer trainer", "failed"])
def test_events_that_it_does_not_know_change_nothing(event: str) -> None:
    assert shown({"event": event}) == shown()


def test_standing_still_and_going_on_are_shown() -> None:
    assert "Standing still while a question is answered" in shown({"event": "paused"})
    assert "Training" in shown({"event": "paused"}, {"event": "continued"})


def test_the_bar_says_from_where_a_training_goes_on() -> None:
    assert "Going on after step 24" in shown({"event": "resumed", "step": 24})


def test_a_damaged_checkpoint_is_told_of_above_the_bar_with_its_new_name() -> None:
    told = {"event": "set_aside", "checkpoint": "checkpoint-8", "name": "checkpoint-8.aside-1"}
    text = shown(told, {"event": "resumed", "step": 24})
    assert "checkpoint-8 was damaged. It is set aside as checkpoint-8.aside-1, and the training" in text
    assert text.index("damaged") < text.index("Going on after step 24")
