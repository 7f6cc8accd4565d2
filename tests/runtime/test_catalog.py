"""What the catalog says of teachers, prices and models."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from anthropic.types.model import Model

from shammah import catalog
from shammah.catalog import Price, dearest_price, price_of, suggested_model
from shammah.config import TeacherSettings

TEACHERS = sorted(tomllib.loads(Path(catalog.__file__).with_suffix(".toml").read_text("utf-8"))["teacher"]["prices"])
PROMPT_AND_COMPLETION = (100_000, 8_000)


@pytest.mark.parametrize("teacher", TEACHERS)
def test_a_teacher_with_a_price_is_one_that_the_sdk_knows(teacher: str) -> None:
    known = {name for part in get_args(Model) for name in get_args(part)}
    assert teacher in known


@pytest.mark.parametrize("teacher", TEACHERS)
def test_a_price_is_positive_and_an_answer_dearer_than_a_prompt(teacher: str) -> None:
    price = price_of(teacher)
    assert price is not None
    assert 0 < price.input < price.output


def test_the_default_teacher_has_a_price_for_a_prompt_of_any_length() -> None:
    price = price_of(TeacherSettings().model)
    assert price is not None
    assert price.cost_usd(1_000_000, 128_000) is not None


def test_an_unknown_teacher_has_no_price() -> None:
    assert price_of("claude-none") is None


def test_a_price_counts_prompt_and_completion_by_the_million() -> None:
    assert Price(2.0, 10.0).cost_usd(500_000, 100_000) == pytest.approx(1.0 + 1.0)


@pytest.mark.parametrize("teacher", TEACHERS)
def test_the_dearest_price_covers_every_teacher(teacher: str) -> None:
    price = price_of(teacher)
    assert price is not None
    cost, dearest_cost = price.cost_usd(*PROMPT_AND_COMPLETION), dearest_price().cost_usd(*PROMPT_AND_COMPLETION)
    assert cost is not None
    assert dearest_cost is not None
    assert cost <= dearest_cost


def test_the_dearest_price_has_no_bound() -> None:
    assert dearest_price().prompt_tokens_at_most is None


def test_a_price_ends_where_its_prompts_do() -> None:
    haiku = price_of("claude-haiku-5-5")
    assert haiku is not None
    assert haiku.prompt_tokens_at_most is not None
    assert haiku.cost_usd(haiku.prompt_tokens_at_most, 1) is not None
    assert haiku.cost_usd(haiku.prompt_tokens_at_most + 1, 1) is None


def test_the_day_of_the_prices_is_a_date() -> None:
    assert re.fullmatch(r"20\d\d-[01]\d-[0-3]\d", catalog.prices_date())


# What counts as 8 GB begins at 8 / 1.15 = 6.96 GiB, and so on.
@pytest.mark.parametrize(
    ("ram_gib", "repository"),
    [
        (1.0, "Qwen/Qwen2.5-0.5B-Instruct-GGUF"),
        (4.0, "Qwen/Qwen2.5-0.5B-Instruct-GGUF"),
        (6.9, "Qwen/Qwen2.5-0.5B-Instruct-GGUF"),
        (7.1, "Qwen/Qwen2.5-1.5B-Instruct-GGUF"),
        (8.0, "Qwen/Qwen2.5-1.5B-Instruct-GGUF"),
        (13.8, "Qwen/Qwen2.5-1.5B-Instruct-GGUF"),
        (15.4, "Qwen/Qwen3-4B-GGUF"),
        (16.0, "Qwen/Qwen3-4B-GGUF"),
        (31.2, "Qwen/Qwen3-8B-GGUF"),
        (62.7, "Qwen/Qwen3-14B-GGUF"),
        (512.0, "Qwen/Qwen3-14B-GGUF"),
    ],
)
def test_the_suggestion_fits_the_ram(ram_gib: float, repository: str) -> None:
    assert suggested_model(int(ram_gib * 2**30)).repository == repository


def test_without_a_number_the_suggestion_is_for_this_machine() -> None:
    assert suggested_model() in {suggested_model(gib * 2**30) for gib in (1, 4, 8, 16, 32, 64)}


@pytest.mark.parametrize("gib", [4, 8, 16, 32, 64])
def test_a_suggestion_says_how_to_fetch_it_in_one_piece(gib: int) -> None:
    model = suggested_model(gib * 2**30)
    assert model.file.endswith(".gguf")
    assert "-of-" not in model.file
    assert model.command == f"hf download {model.repository} {model.file}"


def test_the_embedders_source_is_pinned() -> None:
    source = catalog.embedder()
    assert re.fullmatch(r"[0-9a-f]{40}", source.revision)
    assert re.fullmatch(r"[0-9a-f]{64}", source.sha256)
