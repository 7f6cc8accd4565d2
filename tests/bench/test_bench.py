"""The benchmark's table: it runs on the seedling and holds every row that it promises."""

import contextlib
import io
import json
from typing import Any

import pytest

from bench.__main__ import main

PROMISED = [
    "ask, seedling",
    "ask through the daemon, seedling",
    "decode, seedling",
    "apply an adapter, seedling",
    "LoRA -> GGUF, seedling",
    "routing decision",
    "lesson",
    "opening the head",
    "opening the embedder",
    "chat, until the prompt",
]


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    with contextlib.redirect_stdout(io.StringIO()) as written:
        main(["--quick", "--json", "--threads", "1"])
    parsed: dict[str, Any] = json.loads(written.getvalue())
    return parsed


def test_a_quick_run_holds_every_promised_row_in_order(table: dict[str, Any]) -> None:
    names = [row["name"] for row in table["rows"]]
    assert len(names) == len(PROMISED)
    assert all(name.startswith(promised) for name, promised in zip(names, PROMISED, strict=True)), names


def test_every_row_lies_within_its_spread_or_is_a_ratio_of_medians_above_zero(table: dict[str, Any]) -> None:
    for row in table["rows"]:
        assert 0 < row["low"] <= row["high"], row
        assert row["unit"] == "x" or row["low"] <= row["value"] <= row["high"], row


def test_every_row_with_an_aim_says_whether_it_is_reached(table: dict[str, Any]) -> None:
    assert all((row["aim"] is None) == (row["is_reached"] is None) for row in table["rows"])
    assert [row["aim"] for row in table["rows"]][:6] == [
        "<= 1.6",
        "<= 0.5",
        ">= 0.97",
        "<= 0.1",
        "< 1000",
        "< 10",
    ]


def test_a_routing_decision_is_measured_with_the_embedding(table: dict[str, Any]) -> None:
    # 29 hand features, a bias, 256 waves, and MiniLM's 384 numbers.
    assert "670 inputs" in table["rows"][5]["name"]


def test_the_machine_is_named_with_its_load(table: dict[str, Any]) -> None:
    assert table["machine"]["cores"] >= 1
    assert table["machine"]["threads"] == 1
    assert len(table["machine"]["load"]) == 3
