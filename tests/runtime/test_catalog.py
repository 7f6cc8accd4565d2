"""What the catalog says of teachers, prices and models."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from anthropic.types.model import Model

from shammah import catalog, found
from shammah.catalog import Price, dearest_price, price_of, suggested_model
from shammah.settings import TeacherSettings

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


def test_without_a_number_the_suggestion_is_for_this_machine() -> None:
    assert suggested_model() in {suggested_model(gib * 2**30) for gib in (1, 4, 8, 16, 32, 64)}


@pytest.mark.parametrize("model", catalog.models(), ids=lambda model: str(model.name))
def test_a_model_is_found_by_its_name_and_by_its_repositorys(model: catalog.Model) -> None:
    for name in (model.name, model.name.upper(), model.repository, f"{model.title.replace(' ', '-')}-Instruct"):
        assert catalog.model_named(name) == model
    assert model.repository.startswith("Qwen/")
    assert model.file.lower().startswith(model.name)
    assert found.quantization_of(model.file) == model.quantization


@pytest.mark.parametrize("model", catalog.models(), ids=lambda model: str(model.name))
def test_a_models_bytes_are_what_its_parameters_and_quantization_make_of_it(model: catalog.Model) -> None:
    billions = float(model.name.rpartition("-")[2].removesuffix("b"))
    # Bits a parameter: 8.5 in Q8_0, 4.8 in Q4_K_M, more where the embedding weighs much.
    assert 4.7 <= 8 * model.size_bytes / (billions * 1e9) <= 9


def test_one_model_is_proposed_for_each_size_of_machine() -> None:
    proposed = {model.ram_gb: model.name for model in catalog.models() if model.ram_gb is not None}
    sizes = {4: "0.5b", 8: "1.5b", 16: "3b", 32: "7b", 64: "14b"}
    assert proposed == {ram_gb: f"qwen2.5-{size}" for ram_gb, size in sizes.items()}


def test_only_the_three_billion_model_is_not_free() -> None:
    assert [model.name for model in catalog.models() if model.licence != "apache-2.0"] == ["qwen2.5-3b"]


def test_the_embedders_source_is_pinned() -> None:
    source = catalog.embedder()
    assert re.fullmatch(r"[0-9a-f]{40}", source.revision)
    assert re.fullmatch(r"[0-9a-f]{64}", source.sha256)
