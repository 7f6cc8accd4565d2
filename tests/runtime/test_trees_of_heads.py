"""The trees as a part of a head: what it says with them, what a swap leaves of them, and its file."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shammah.features import Features
from shammah.forest import log_odds
from shammah.growing import Taught, rows
from shammah.heads import Head, Prior, WrongState
from tests.runtime.test_forest import TREES, drawn

PRIOR = Prior(hand=0.5, embedding=0.33, trees=TREES, trees_from=1)


def test_a_head_is_opened_without_the_draws_that_only_growing_needs() -> None:
    code = "import sys, shammah.heads; sys.exit('numpy.random' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0, "9 ms of each question"


def inputs(count: int) -> Any:
    """Hand features; what trees see of them begins with the second."""
    return np.concatenate([np.zeros((count, 1), dtype=np.float32), drawn(count).x], axis=1)


def taught(count: int = 200) -> tuple[Head, list[Taught]]:
    """A head that has taken lessons in."""
    head = Head.fresh("bayes", 7, PRIOR)
    seen = zip(inputs(count), drawn(count).is_good, strict=True)
    return head, [head.learn(Features(one), bool(good), 1.0, n) for n, (one, good) in enumerate(seen)]


def test_a_head_says_the_mean_of_both_log_odds() -> None:
    head, lessons = taught()
    seen = Features(inputs(1)[0])
    line = head.probability(seen)
    head.grow(lessons)
    assert head.forest is not None
    trees = head.forest.probability(seen.hand[1:])
    assert trees != pytest.approx(line, abs=0.1)
    assert log_odds(head.probability(seen)) == pytest.approx((log_odds(line) + log_odds(trees)) / 2, abs=1e-9)


def test_of_a_beginning_only_the_line_is_asked() -> None:
    head, lessons = taught()
    seen = Features(inputs(1)[0])
    line = head.probability(seen)
    head.grow(lessons)
    assert head.by_line(seen) == line != head.probability(seen)


@pytest.mark.parametrize("every", [20, 50, 130, 1000])
def test_a_swap_lets_lessons_count_for_as_much_less_in_the_trees_as_in_the_line(every: int) -> None:
    head, forgetting = Head.fresh("bayes", 7, PRIOR), list[float]()
    head.learner.forget = forgetting.append  # type: ignore[method-assign, assignment]
    course, expected = list[Taught](), np.ones(1200)
    for n, one in enumerate(inputs(1200)):
        head.note_applied(1 + n // every)
        course.append(head.learn(Features(one), n % 2 == 0, 1.0, n))
        while forgetting:
            expected[: n + 1] *= forgetting.pop()
    np.testing.assert_allclose(rows(course).weight, expected)
    assert bool(expected.min() < 1) is (every != 20), "swaps that follow one another faster than it looks are not seen"


def test_a_read_head_has_its_trees(tmp_path: Path) -> None:
    head, lessons = taught()
    head.grow(lessons)
    head.save(tmp_path / "head.npz")
    read = Head.load(tmp_path / "head.npz", "bayes", 7, PRIOR)
    for one in inputs(20):
        assert read.probability(Features(one)) == head.probability(Features(one))


def test_lessons_that_count_for_nothing_grow_nothing() -> None:
    head, lessons = taught()
    head.grow([replace(one, weight=0.0) for one in lessons])
    assert head.forest is None


def saved(folder: Path) -> tuple[Path, dict[str, Any]]:
    """A head's file, and the arrays in it."""
    head, lessons = taught()
    head.grow(lessons)
    file = folder / "head.npz"
    head.save(file)
    with np.load(file) as found:
        return file, {key: found[key] for key in found.files}


def assert_refused(file: Path, arrays: dict[str, Any], prior: Prior = PRIOR) -> None:
    np.savez(file, **arrays)
    with pytest.raises(WrongState):
        Head.load(file, "bayes", 7, prior)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("child", 0, 0),  # nodes that nobody comes to
        ("child", 1, 0),  # a walk without an end
        ("bar", 0, np.nan),
        ("bar", -1, 0.0),  # a leaf that leads on
        ("child", 0, 10**6),
        ("child", 0, -5),
        ("feature", 0, 6),
        ("feature", 0, -1),
        ("roots", 0, 10**6),
        ("roots", 0, -1),
        ("value", 0, np.nan),
        ("value", 0, 2.0),
    ],
)
def test_trees_that_are_none_are_refused(name: str, place: int, value: float, tmp_path: Path) -> None:
    file, arrays = saved(tmp_path)
    arrays[f"trees_{name}"][place] = value
    assert_refused(file, arrays)


@pytest.mark.parametrize("name", ["roots", "feature", "bar", "child", "value"])
def test_trees_with_a_part_missing_are_refused(name: str, tmp_path: Path) -> None:
    file, arrays = saved(tmp_path)
    del arrays[f"trees_{name}"]
    assert_refused(file, arrays)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("bar", lambda array: array[:, None]),  # a walk over it would ask for all the memory that there is
        ("value", lambda array: array[:, None]),
        ("value", lambda array: array.astype(np.float64)),
        ("feature", lambda array: array.astype(np.int64)),
        ("roots", lambda array: array[:0]),
        ("roots", lambda array: np.repeat(array[:1], len(array))),
    ],
)
def test_trees_of_another_form_are_refused(name: str, change: Callable[[Any], Any], tmp_path: Path) -> None:
    file, arrays = saved(tmp_path)
    assert_refused(file, arrays | {f"trees_{name}": change(arrays[f"trees_{name}"])})


def test_trees_in_the_file_of_a_head_that_has_none_are_refused(tmp_path: Path) -> None:
    assert_refused(*saved(tmp_path), replace(PRIOR, trees=0))
