"""Which Qwen a machine is proposed, from its size and from what of it is free."""

import pytest

from shammah import catalog, fitting
from shammah.fitting import Gpu, Machine

GIB = 2**30
MODELS = catalog.models()
CONTEXT = 8192


def proposed(ram_gib: float, available_gb: float, context_tokens: int = CONTEXT) -> str | None:
    machine = Machine(int(ram_gib * GIB), int(available_gb * 1e9))
    model = fitting.propose(MODELS, machine, context_tokens).model
    return None if model is None else model.name


# What is sold as 8 GB begins at 8 / 1.15 = 6.96 GiB, and so on; nothing between two sizes is the larger one.
@pytest.mark.parametrize(
    ("ram_gib", "name"),
    [
        (2.0, "qwen2.5-0.5b"),
        (3.8, "qwen2.5-0.5b"),
        (6.9, "qwen2.5-0.5b"),
        (7.0, "qwen2.5-1.5b"),
        (8.0, "qwen2.5-1.5b"),
        (12.0, "qwen2.5-1.5b"),
        (15.4, "qwen2.5-3b"),
        (31.2, "qwen2.5-7b"),
        (62.7, "qwen2.5-14b"),
        (512.0, "qwen2.5-14b"),
    ],
)
def test_the_size_of_a_machine_proposes_a_model(ram_gib: float, name: str) -> None:
    assert proposed(ram_gib, available_gb=100) == name


# 0.5B takes 1.0 GB with 8,192 tokens of context, 1.5B 1.8, 3B 2.8, 7B 5.6 and 14B 11.0 GB.
@pytest.mark.parametrize(
    ("available_gb", "name"),
    [
        (12, "qwen2.5-14b"),
        (10, "qwen2.5-7b"),
        (5, "qwen2.5-3b"),
        (2, "qwen2.5-1.5b"),
        (1.2, "qwen2.5-0.5b"),
        (0.9, None),
    ],
)
def test_what_is_free_may_only_lower_it(available_gb: float, name: str | None) -> None:
    assert proposed(64, available_gb) == name
    assert proposed(4, available_gb) in ("qwen2.5-0.5b", None)


def test_a_longer_context_takes_more() -> None:
    assert proposed(8, available_gb=1.8) == "qwen2.5-1.5b"
    assert proposed(8, available_gb=1.8, context_tokens=32_768) == "qwen2.5-0.5b"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: str(model.name))
def test_the_sum_is_file_cache_and_room_to_compute(model: catalog.Model) -> None:
    need = fitting.need_of(model, CONTEXT)
    shape = model.shape
    # A key and a value in float16 for each layer, head and token.
    assert need.cache_bytes == CONTEXT * shape.layers * shape.kv_heads * shape.head_size * 2 * 2
    assert need.bytes == model.size_bytes + need.cache_bytes + 400 * 2**20
    assert f"{need.bytes / 1e9:.1f} GB" in need.in_words


def test_no_context_is_longer_than_a_model_was_trained_for() -> None:
    assert fitting.need_of(MODELS[0], 10**9).context_tokens == MODELS[0].shape.context_tokens


@pytest.mark.parametrize(
    ("available_gb", "gpu_gb", "words"),
    [
        (8, 0, "fits"),
        (8, 8, "fits, GPU too"),
        (1, 8, "fits, GPU too"),
        (3, 0, "needs 2.6 GB more free"),
    ],
)
def test_the_verdict_says_what_is_missing(available_gb: float, gpu_gb: float, words: str) -> None:
    gpus = (Gpu("a GPU", 8 * GIB, int(gpu_gb * 1e9)),) if gpu_gb else ()
    need = fitting.need_of(next(model for model in MODELS if model.name == "qwen2.5-7b"), CONTEXT)
    assert fitting.verdict(need, Machine(32 * GIB, int(available_gb * 1e9), gpus)) == words


def test_what_does_not_fit_into_the_whole_machine_never_will() -> None:
    need = fitting.need_of(next(model for model in MODELS if model.name == "qwen2.5-14b"), CONTEXT)
    assert fitting.verdict(need, Machine(8 * GIB, 6 * 10**9)) == "too large for this machine"
