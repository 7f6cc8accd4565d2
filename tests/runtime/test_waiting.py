"""Whose turn it is."""

import random
from typing import Any, cast

import pytest

from shammah.local.waiting import Pace, Request, Turn, turn_of, who_is_next
from shammah_convert.job import AdapterFile


def request(number: int, adapter: str) -> Request:
    files = (AdapterFile(adapter, f"/{adapter}.gguf", adapter),) if adapter else ()
    return Request(number, [1], 2, files, cast("Any", None), lambda _: None)


def served(arrivals: list[str], rows: int) -> list[list[int]]:
    """The numbers in the order in which they begin, one list for each turn; each takes one step."""
    waiting = [request(number, adapter) for number, adapter in enumerate(arrivals)]
    turn, order = Turn(), list[list[int]]()
    while waiting:
        running: list[Request] = []
        while len(running) < rows and (chosen := who_is_next(waiting, turn, is_idle=not running)) is not None:
            if not running and chosen.adapters != turn.adapters:
                turn = turn_of(chosen, waiting)
                order.append([])
            waiting.remove(chosen)
            running.append(chosen)
            order = order or [[]]
            order[-1].append(chosen.number)
    return order


@pytest.mark.parametrize(
    ("arrivals", "order"),
    [
        (["", "", ""], [[0, 1, 2]]),
        (["a", "b", "a", "b"], [[0, 2], [1, 3]]),
        (["a", "b", "c", "b", "a"], [[0, 4], [1, 3], [2]]),
        (["", "a", "", "a"], [[0], [1, 3], [2]]),
    ],
)
def test_each_set_of_adapters_serves_all_that_wait_for_it(arrivals: list[str], order: list[list[int]]) -> None:
    assert served(arrivals, rows=8) == order


def test_nobody_is_forgotten_and_each_set_keeps_its_order() -> None:
    random.seed(3)
    arrivals = random.choices(["", "a", "b"], k=60)
    order = served(arrivals, rows=3)
    assert sorted(number for turn in order for number in turn) == list(range(60))
    for turn in order:
        assert turn == sorted(turn)
        assert len({arrivals[number] for number in turn}) == 1


def test_adapters_are_not_swapped_while_somebody_runs() -> None:
    assert who_is_next([request(1, "a")], Turn(), is_idle=False) is None


def test_who_comes_during_a_turn_does_not_pass_those_who_wait_for_other_adapters() -> None:
    waiting = [request(1, "b"), request(2, "")]
    assert who_is_next(waiting, Turn((), last=0), is_idle=False) is None
    assert who_is_next(waiting, Turn((), last=0), is_idle=True) is waiting[0]


def test_a_wait_is_estimated_from_what_answers_took() -> None:
    pace = Pace()
    for _ in range(50):
        pace.note(10.0)
    assert pace.retry_after_seconds(waiting=16, rows=8) == 20
    assert pace.retry_after_seconds(waiting=0, rows=8) == 1
