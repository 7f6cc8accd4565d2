"""The shipped seedling is the one on its card, and answers as the card says; its recipe runs from end to end."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.seedling.build import CARD, build, fill_card
from models.seedling.evaluate import GGUF, Report, answer, evaluate
from models.seedling.phrasings import REFUSAL, Intent, read_intents, read_out_of_scope
from models.seedling.recipe.records import Settings
from shammah.generation import Sampling, collect
from shammah.local import LocalModel
from shammah_convert.chat import Message
from tests.models.halves import evaluation

LARGEST_BYTES = 16_000_000
LEAST_RIGHT, LEAST_REFUSED = 0.80, 0.90


@pytest.fixture(scope="module")
def seedling() -> Iterator[LocalModel]:
    with LocalModel(GGUF, gpu_layers=0) as model:
        yield model


@pytest.fixture(scope="module")
def report() -> Report:
    return evaluation()


def test_it_is_small() -> None:
    assert GGUF.stat().st_size <= LARGEST_BYTES


def test_it_has_at_most_15_million_parameters(seedling: LocalModel) -> None:
    assert seedling.facts.parameters <= 15_000_000


def test_its_hash_is_on_the_card() -> None:
    assert hashlib.sha256(GGUF.read_bytes()).hexdigest() in CARD.read_text("utf-8")


def test_four_fifths_of_the_answers_are_right(report: Report) -> None:
    assert report.right_share >= LEAST_RIGHT


def test_questions_from_outside_are_refused(report: Report) -> None:
    assert report.refused_share >= LEAST_REFUSED


def test_the_card_has_these_figures(report: Report) -> None:
    # Greedy ties may fall otherwise on another processor: half a point of tolerance.
    shares = [float(share) for share in re.findall(r"\((\d+\.\d)%\)", CARD.read_text("utf-8"))[:2]]
    measured = [100 * report.right_share, 100 * report.refused_share]
    assert shares == pytest.approx(measured, abs=1.0)


def test_an_answer_ends_by_itself(seedling: LocalModel) -> None:
    said = collect(seedling.stream([Message("user", "how do i list files")], Sampling(max_tokens=100)))
    assert said.end.finish == "stop"
    assert len(said.text.splitlines()) == 2


def test_a_long_text_is_refused(seedling: LocalModel) -> None:
    refusal = next(intent for intent in read_intents() if intent.id == REFUSAL)
    text = " ".join(read_out_of_scope()[:40])
    assert len(seedling.prompt_tokens([Message("user", text)])) > 300
    assert answer(seedling, text) == refusal.first_line


def test_the_recipe_makes_a_model_that_answers(tmp_path: Path) -> None:
    intents = (
        Intent("list", "list files", "ls\nLists files.", (), ("list files", "show files", "what files are here")),
        Intent(
            "where",
            "current folder",
            "pwd\nPrints it.",
            (),
            ("where am i", "current folder", "which folder is this"),
        ),
    )
    settings = Settings(
        steps=100, threads=1, vocabulary=400, width=64, layers=2, reading_layers=1, heads=2, kv_heads=1,
        feed_forward=96, batch=12, token_dropout=0.0, has_minilm=False, rate=5e-3, short_share=0.0,
        hand_over_examples=600,
    )  # fmt: skip
    build(intents, settings, tmp_path / "tiny.gguf")
    cases = {"list": ("list files", "show files"), "where": ("where am i", "current folder")}
    with LocalModel(tmp_path / "tiny.gguf", gpu_layers=0) as model:
        assert evaluate(model, intents, cases).right_share == 1.0


def test_a_build_fills_the_card(tmp_path: Path) -> None:
    from types import SimpleNamespace

    (tmp_path / "x.gguf").write_bytes(b"x")
    trained = SimpleNamespace(model=SimpleNamespace(parameters=list), minutes=5.0, examples=1000)
    card = "# Card\n<!-- figures -->\nold\n<!-- end of figures -->\nrest\n"
    filled = fill_card(card, trained, Report(10, 9, 0, 4, 4, ()), tmp_path / "x.gguf")  # type: ignore[arg-type]
    assert hashlib.sha256(b"x").hexdigest() in filled
    assert "9 of 10 questions (90.0%)" in filled
    assert "old" not in filled
    assert filled.endswith("rest\n")
