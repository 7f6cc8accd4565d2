"""The status fits the terminal, and tells what it promises."""

import pytest

from shammah.cli.screen import width
from shammah.repl.lookout import in_words
from shammah.repl.status import Facts, cut, lines, step_in_words

STEP = {"event": "step", "epoch": 3, "step": 24, "steps": 80, "loss": 0.41234, "seconds_left": 40.2}
FULL = Facts(
    model="Qwen2.5 1.5B Instruct",
    adapters=(("corrections-v12", 0.5),),
    route="local (local confident)",
    waiting=3,
    training=step_in_words(12, STEP),
)


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    assert all(width(line) <= columns for line in lines(FULL, columns))


def test_a_wide_terminal_tells_all_of_it_and_the_training_has_a_line() -> None:
    assert lines(FULL, 120) == [
        "Qwen2.5 1.5B Instruct · corrections-v12:0.5 · local (local confident) · 3 examples wait for training",
        "training 12: epoch 3, step 24/80, loss 0.412, 40 s left",
    ]


def test_sixty_columns_hold_every_number_of_a_training() -> None:
    worst = step_in_words(123, STEP | {"epoch": 40, "step": 3200, "steps": 3200, "seconds_left": 5999})
    assert worst == "training 123: epoch 40, step 3200/3200, loss 0.412, 99 min left"
    assert lines(FULL, 60)[1] == FULL.training


def test_without_adapter_and_training_one_line_is_enough() -> None:
    assert lines(Facts(model="seedling"), 60) == ["seedling · no adapter · 0 examples wait for training"]


@pytest.mark.parametrize(("text", "short"), [("abcdef", "abc…"), ("abcd", "abcd"), ("你好世界", "你…")])
def test_what_is_cut_says_so(text: str, short: str) -> None:
    assert cut(text, 4) == short


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (STEP, "training 2: epoch 3, step 24/80, loss 0.412, 40 s left"),
        ({"event": "opening", "base": "Qwen"}, "training 2: opening Qwen"),
        ({"event": "answering", "done": 3, "of": 9}, "training 2: asking the model what it knows, 3 of 9"),
        ({"event": "paused"}, "training 2: standing still while a question is answered"),
        ({"event": "epoch", "epoch": 1}, ""),
    ],
)
def test_each_stage_of_a_training_has_its_words(line: dict[str, object], words: str) -> None:
    assert in_words(2, line) == words
