"""Answers that say the same are near, and a label weighs what its method is worth."""

import numpy as np
import pytest
from numpy.typing import NDArray

from shammah.divergence import Divergence, Method, Wish, measure
from shammah.errors import ShammahError

DIRECTIONS = {"same": (1.0, 0.0), "near": (0.8, 0.6), "across": (0.0, 1.0), "opposite": (-1.0, 0.0)}


def embed(text: str) -> NDArray[np.float32]:
    """A plane of meanings: the cosine between two texts is known."""
    return np.array(DIRECTIONS[text], dtype=np.float32)


@pytest.mark.parametrize("other", ["use  git\n stash", " use git stash "])
def test_equal_words_are_no_divergence_whatever_the_blanks(other: str) -> None:
    assert measure("use git stash", other, None) == Divergence(0.0, Method.EXACT)


def test_two_empty_answers_are_equal() -> None:
    assert measure("", " \n", None) == Divergence(0.0, Method.EXACT)


@pytest.mark.parametrize(
    ("other", "value"), [("near", 0.2), ("across", 1.0), ("opposite", 1.0)]
)  # 1 - cosine, at most 1
def test_with_an_embedder_the_divergence_is_one_minus_the_cosine(other: str, value: float) -> None:
    divergence = measure("same", other, embed)
    assert divergence.method is Method.SEMANTIC
    assert divergence.value == pytest.approx(value)


def test_a_cosine_rounded_above_one_gives_no_negative_divergence() -> None:
    divergence = measure("a", "b", lambda _: np.array([1.0001], dtype=np.float32))
    assert divergence.value == 0.0


def test_without_an_embedder_words_are_compared() -> None:
    near = measure("run git stash to save your changes", "run git stash to keep your changes", None)
    far = measure("boil the water first", "run git stash to keep your changes", None)
    assert near.method is far.method is Method.BLEU
    assert near.value < far.value


@pytest.mark.parametrize(
    ("local", "teacher"),
    # sacrebleu's score of the first pair, equal but for the blanks at the marks, is 100.00000000000004.
    [("hello there, my good old friend!", "hello there , my good old friend !"), ("", "x"), ("x", ""), ("x", "y")],
)
def test_a_divergence_by_words_lies_between_0_and_1(local: str, teacher: str) -> None:
    assert 0.0 <= measure(local, teacher, None).value <= 1.0


@pytest.mark.parametrize(
    ("value", "method", "is_small"),
    [
        (0.3, Method.SEMANTIC, True),
        (0.3001, Method.SEMANTIC, False),
        (0.4, Method.BLEU, True),
        (0.4001, Method.BLEU, False),
        (0.0, Method.EXACT, True),
        (0.0, Method.JUDGE, True),
        (0.25, Method.JUDGE, False),  # one grade of five
    ],
)
def test_up_to_its_methods_threshold_a_local_answer_will_do(value: float, method: Method, is_small: bool) -> None:
    assert Divergence(value, method).is_small is is_small


@pytest.mark.parametrize(
    ("method", "weight"),
    [(Method.SEMANTIC, 0.5), (Method.BLEU, 0.1), (Method.EXACT, 0.5), (Method.SYNTAX, 0.5), (Method.JUDGE, 1.0)],
)
def test_a_label_weighs_what_its_method_is_worth(method: Method, weight: float) -> None:
    assert Divergence(0.0, method).label_weight == weight


ADDS = "```python\ndef add(a, b):\n    return a + b\n```"


def test_the_same_code_in_another_layout_is_no_divergence() -> None:
    other = "```py\ndef add( a,b ):\n    'Adds.'\n    return a+b  # both\n```"
    assert measure(ADDS, other, None) == Divergence(0.0, Method.SYNTAX)


def test_code_below_much_prose_does_not_make_answers_the_same() -> None:
    warning = "Never do what follows, because it silently drops every second value of the list that you give it. "
    assert measure(ADDS, f"{warning * 3}\n\n{ADDS}", None).method is Method.BLEU


def test_an_answer_that_is_all_prose_is_not_compared_as_code() -> None:
    assert measure("yes", "no", None).method is Method.BLEU


@pytest.mark.parametrize(
    ("wish", "expected"), [("exact", Method.EXACT), ("bleu", Method.BLEU), ("semantic", Method.SEMANTIC),
                           ("auto", Method.SEMANTIC), ("judge", Method.SEMANTIC)]
)  # fmt: skip
def test_answers_are_compared_as_is_wished(wish: Wish, expected: Method) -> None:
    divergence = measure("same", "across", embed, wish)
    assert (divergence.method, divergence.is_small) == (expected, False)


def test_without_an_embedder_a_comparison_by_meaning_is_refused() -> None:
    with pytest.raises(ShammahError, match="no embedder"):
        measure("same", "across", None, "semantic")
