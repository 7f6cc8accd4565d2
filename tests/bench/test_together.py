"""Decoding beside a training: the benchmark runs on the seedling, and notices a training that does not work."""

import time
from pathlib import Path

import pytest

from bench.together import Training, measure
from shammah.bases import SEEDLING
from shammah.standstill import standstill


def test_a_window_in_which_the_training_works_is_one(tmp_path: Path) -> None:
    training = Training(tmp_path, SEEDLING)

    def window() -> float:
        made = training.steps
        while training.steps == made:
            time.sleep(0.01)
        return 7.0

    def lull() -> float:
        time.sleep(0.5)
        return 7.0

    def still() -> float:
        with standstill(tmp_path):
            time.sleep(0.5)  # what was said before the signal is heard by then
            return training.work_of(lull)

    try:
        training.wait_for_a_step()
        assert training.work_of(window) == 7.0
        assert training.windows[0] > 0
        with pytest.raises(RuntimeError, match="stood still in a measured window"):
            still()
    finally:
        training.end()


def test_a_training_that_ends_is_no_training_to_measure_beside(tmp_path: Path) -> None:
    training = Training(tmp_path, SEEDLING)
    training.end()
    with pytest.raises(RuntimeError, match="ended within the measurement"):
        training.wait_for_a_step()


def test_a_row_has_both_speeds_and_what_the_training_did() -> None:
    row = measure("seedling", SEEDLING, rounds=1, threads=1, seconds=0.5)
    assert 0 < row.low <= row.value <= row.high
    assert (row.name, row.aim) == ("decode beside a training, seedling", ">= 0.95")
    assert "tokens/s; the training had" in row.detail
