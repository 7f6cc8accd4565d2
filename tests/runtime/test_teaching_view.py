"""How teaching shows, in a pipe and on a board."""

from typing import Any

import pytest

from shammah.cli.teaching_view import Board, Lines, in_words
from shammah.records.adapters import Training
from shammah.teaching import advice
from shammah.teaching.results import Generated
from shammah.teaching.rounds import Effect, Round

OUTCOMES = [("code", True), ("code", False), ("math", True)]


def done(effect: Effect = "better", reason: str = "") -> Round:
    state: Any = "refused" if reason else "promoted"
    return Round(2, 5, 8, 3, 5, Training(7, "", None, "f", state, False, False, None, reason), effect, 0.0312)


EVENTS: list[tuple[dict[str, Any], str]] = [
    ({"event": "analysing", "number": 2}, "Round 2: asking the test questions"),
    (
        {"event": "analysed", "analysis": advice.analysis(OUTCOMES, [])},
        "2 of 3 test questions are right (code 1/2, math 1/1)",
    ),
    ({"event": "analysed", "analysis": advice.analysis([], ["code"])}, "There are no test questions yet"),
    ({"event": "asking", "areas": ["code", "math"]}, "Claude looks at code, math"),
    (
        {"event": "called", "tool": "query_local_model", "result": {"answer": "ls\n-la"}},
        "Claude: query_local_model: 'ls\\n-la'",
    ),
    ({"event": "called", "tool": "train", "result": {"error": "no"}}, "Claude: train was refused: no"),
    (
        {"event": "generated", "category": "code", "generated": Generated("b", 4, 3, 1, (), 3)},
        "code: 3 new examples, 1 test questions",
    ),
    ({"event": "training", "examples": 5}, "Training on 5 new examples"),
    ({"event": "worse", "before": 3, "after": 1, "tests": 8}, "3 of 8 were right before, 1 after: taken back"),
    (
        {"event": "round", "round": done()},
        "Round 2: 5 examples, training promoted; 3 -> 5 of 8 right, kept; $0.0312 so far",
    ),
    (
        {"event": "round", "round": done("same", "no better")},
        "Round 2: 5 examples, training refused (no better); 3 -> 5 of 8 right, no gain; $0.0312 so far",
    ),
]


@pytest.mark.parametrize(("event", "said"), EVENTS)
def test_each_step_is_a_line(event: dict[str, Any], said: str) -> None:
    assert in_words(event, "Claude") == said


def test_whoever_teaches_is_called_by_name() -> None:
    event = {"event": "called", "tool": "train", "result": {"error": "no"}}
    assert in_words(event, "gpt-test") == "gpt-test: train was refused: no"


def test_in_a_pipe_a_trainings_steps_are_no_lines(capsys: pytest.CaptureFixture[str]) -> None:
    Lines("Claude").hear({"event": "step", "step": 1, "steps": 9, "loss": 1.0})
    Lines("Claude").hear({"event": "training", "examples": 5})
    assert capsys.readouterr().out == "Training on 5 new examples\n"


def test_the_board_keeps_the_rounds_and_the_last_steps(capsys: pytest.CaptureFixture[str]) -> None:
    board = Board("Claude")
    for event, _ in EVENTS:
        board.hear(event)
    board.hear({"event": "step", "epoch": 1, "step": 3, "steps": 9, "loss": 0.5})
    board.hear({"event": "training", "examples": 6})
    board.close()
    shown = capsys.readouterr().out
    assert "promoted" in shown
    assert "3/8" in shown
    assert "Training on 6 new examples" in shown
