"""A candidate says in llama.cpp what the trainer says that it says."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from shammah.candidate import MOST_CONFIRMED, confirm, gap
from shammah.generation import Finish
from shammah_convert.examples import Example
from shammah_convert.job import Confirmed, Probe
from tests.job_folders import example
from tests.scripted import Scripted


class Known:
    """A model whose logits are the places of tokens."""

    def logits(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        return np.arange(10, dtype=np.float32)


def test_the_gap_is_the_root_mean_square_over_all_probes() -> None:
    probes = [Probe((1,), ((3, 3.0), (4, 6.0))), Probe((2,), ((5, 4.0),))]
    assert gap(Known(), probes) == pytest.approx((5 / 3) ** 0.5)
    assert gap(Known(), []) == 0.0


def wanted(count: int, answer: str = "ls -A") -> list[Example]:
    return [example(str(place), f"question {place}", answer=answer) for place in range(count)]


def test_only_answers_to_the_letter_are_confirmed() -> None:
    model = Scripted(lambda messages: "ls -A" if messages[-1].content == "question 1" else "ls -a")
    assert confirm(model, wanted(3)) == Confirmed(3, 1)
    assert confirm(Scripted("ls -A"), wanted(1, " ls -A\n")) == Confirmed(1, 1), "what is read is stripped, too"
    assert confirm(Scripted("ls -A", finish=Finish.LENGTH), wanted(2)) == Confirmed(2, 0)


def test_the_newest_few_are_asked() -> None:
    model = Scripted("ls -A")
    assert confirm(model, wanted(9)) == Confirmed(MOST_CONFIRMED, MOST_CONFIRMED)
    assert [messages[-1].content for messages in model.asked] == [f"question {place}" for place in range(4, 9)]


def test_what_there_was_no_time_for_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert confirm(Scripted("ls -A"), wanted(3), stop=lambda: True) == Confirmed(0, 0)
    monkeypatch.setattr("shammah.candidate.CONFIRMING_SECONDS", -1.0)
    assert confirm(Scripted("ls -A"), wanted(3)) == Confirmed(0, 0)


def test_an_answer_that_is_cut_by_the_clock_is_not_counted() -> None:
    looks = iter([False, False, True] + [True] * 10)
    assert confirm(Scripted("ls -A"), wanted(1), stop=lambda: next(looks)) == Confirmed(0, 0)
