"""Pairs that Claude writes: read from whatever came, checked, and split."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shammah.features import Vector
from shammah.teaching import pairs
from shammah.teaching.requests import LONGEST_ANSWER

PAIRS = [("list files?", "ls"), ("where am i?", "pwd"), ("who am i?", "whoami")]
texts = st.text(st.characters(codec="utf-8"), max_size=40)
said = st.lists(st.tuples(texts, texts), max_size=6)


def as_json(found: list[tuple[str, str]]) -> str:
    return json.dumps({"pairs": [{"question": question, "answer": answer} for question, answer in found]})


@given(said, texts.filter(lambda text: "{" not in text), texts.filter(lambda text: "{" not in text))
def test_what_was_asked_for_is_read_whatever_stands_around_it(
    found: list[tuple[str, str]], before: str, after: str
) -> None:
    assert list(pairs.parse(f"{before}{as_json(found)}{after}")) == found


@given(said, st.integers(0, 400))
def test_a_cut_end_loses_no_more_than_what_it_cuts(found: list[tuple[str, str]], length: int) -> None:
    text = as_json(found)
    read = list(pairs.parse(text[:length]))
    assert read == found[: len(read)]
    if length >= len(text):
        assert read == found


@given(st.text(max_size=200) | st.recursive(st.none() | st.text(), lambda inner: st.lists(inner)).map(json.dumps))
def test_whatever_else_comes_is_no_pair(text: str) -> None:
    assert all(isinstance(part, str) for pair in pairs.parse(text) for part in pair)


HOSTILE = ('{"a":' * 5000, "[" * 100_000, '{"question": "q", "answer": ' + "{" * 100_000, "{" * 10**6)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_is_over_soon(text: str) -> None:
    assert list(pairs.parse(text)) == []


def test_only_whole_pairs_are_read() -> None:
    rows = [{"question": "a"}, {"question": 1, "answer": "b"}, ["x"], {"question": "c", "answer": "d", "more": 1}]
    assert list(pairs.parse(json.dumps({"pairs": rows}))) == [("c", "d")]


@pytest.mark.parametrize(
    ("question", "answer", "why"),
    [
        ("", "x", "empty"),
        ("x", " \n", "empty"),
        ("x", "y" * (LONGEST_ANSWER + 1), "too long"),
        ("What is ls?", " What  is ls?", "answers by the question"),
        ("LIST, files!", "ls -a", "known"),
    ],
)
def test_what_is_not_fit_is_refused_with_its_reason(question: str, answer: str, why: str) -> None:
    found = pairs.sort([(question, answer)], ["list files"], None)
    assert (found.taken, dict(found.refused)) == ((), {why: 1})


def test_a_question_is_taken_once() -> None:
    found = pairs.sort([("list files?", "ls"), ("List files", "ls -a")], [], None)
    assert [pair.answer for pair in found.taken] == ["ls"]


def test_a_question_in_other_words_is_known_where_there_is_an_embedder() -> None:
    near = {"list files": 0.0, "show files": 0.3, "delete all": 1.5}

    def embed(text: str) -> Vector:
        return np.array([np.cos(near[text]), np.sin(near[text])], dtype=np.float32)

    found = pairs.sort([("show files", "ls"), ("delete all", "rm")], ["list files"], embed)
    assert [pair.question for pair in found.taken] == ["delete all"]
    assert dict(found.refused) == {"known in other words": 1}


def test_a_secret_that_claude_wrote_is_replaced() -> None:
    [pair] = pairs.sort([("set the token?", "export GITHUB_TOKEN=ghp_" + "a1B2" * 9)], [], None).taken
    assert "ghp_" not in pair.answer
    assert "<SECRET_1>" in pair.answer


@given(texts)
def test_a_question_is_asked_or_learnt_by_its_words_alone(text: str) -> None:
    assert pairs.is_test(text) == pairs.is_test(f"  {text.lower()}  ") or text != text.strip()
    assert pairs.is_test("How do I list files?") == pairs.is_test("how do i list files")


def test_about_a_fourth_of_all_questions_is_asked() -> None:
    asked = sum(pairs.is_test(f"question {number}") for number in range(2000))
    assert 420 < asked < 580  # 500, within four standard deviations
