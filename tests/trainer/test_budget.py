"""What fits is chosen: the longest example whole, then the rank, then speed; nothing beyond what is free."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.shapes import SHAPES, VOCABULARY_SIZE
from shammah_convert.shape import BaseConfig
from shammah_trainer.budget import (
    BATCH_TOKENS,
    LEAST_RANK,
    LIBRARIES_BYTES,
    Budget,
    Machine,
    Size,
    TooLittleMemory,
    plan,
)

GB = 10**9
# From the config.json of Qwen2.5-7B-Instruct; its output layer is untied.
QWEN_7B = BaseConfig("qwen2", 3584, 18944, 28, 28, 4, 128, 32768, 1e6, 1e-6, is_tied=False)
# The Q4_K_M files: of the random 0.5B and 1.5B shapes as they are quantized, of 7B as Qwen publishes it.
SIZES = {
    "0.5B": Size(SHAPES["0.5b"], VOCABULARY_SIZE, 400_000_000),
    "1.5B": Size(SHAPES["1.5b"], VOCABULARY_SIZE, 986_000_000),
    "7B": Size(QWEN_7B, 152_064, 4_700_000_000),
}
SEEDLING = Size(BaseConfig("qwen2", 256, 1024, 4, 4, 4, 64, 2048, is_tied=True), 8000, 8_000_000)
FREE = (2, 4, 8, 16, 32)


def on(free_bytes: float, size: Size | str, rank: int = 16, longest: int = 600, **machine: bool) -> Budget:
    """The plan for a machine with so much free memory."""
    return plan(Machine(int(free_bytes), 2, **machine), SIZES[size] if isinstance(size, str) else size, rank, longest)


def worth(budget: Budget, longest: int = 600) -> tuple[bool, int, int, bool, bool, int]:
    """What makes a plan better than another, the weightiest first."""
    is_whole = budget.most_tokens >= longest
    speed = not budget.is_checkpointed, not budget.is_thrifty, budget.batch_tokens
    return is_whole, min(budget.most_tokens, longest), budget.rank, *speed


# What is free, in GB -> (tokens a batch, checkpointed), for a longest example of 600 tokens in bfloat16. A token that
# is kept takes 24 * 40,448 values in the 0.5B shape, 28 * 72,448 in the 1.5B and 28 * 159,232 in the 7B, of two bytes.
CHOSEN: dict[str, dict[int, tuple[int, bool] | None]] = {
    "0.5B": {2: (1024, True), 4: (1024, False), 8: (2048, False), 16: (2048, False), 32: (2048, False)},
    "1.5B": {2: (600, True), 4: (2048, True), 8: (1024, False), 16: (2048, False), 32: (2048, False)},
    "7B": {2: None, 4: None, 8: (600, True), 16: (1024, False), 32: (2048, False)},
}


@pytest.mark.parametrize("free", FREE)
@pytest.mark.parametrize("size", SIZES)
def test_on_a_processor_fast_in_bfloat16_this_is_chosen(size: str, free: int) -> None:
    expected = CHOSEN[size][free]
    if expected is None:
        with pytest.raises(TooLittleMemory, match=f"and {free}\\.0 GB are free"):
            on(free * GB, size, is_fast_in_bfloat16=True)
        return
    found = on(free * GB, size, is_fast_in_bfloat16=True)
    assert (found.batch_tokens, found.is_checkpointed) == expected
    assert (found.rank, found.most_tokens, found.threads, found.is_bfloat16) == (16, 600, 2, True)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("is_fast_in_bfloat16", [True, False])
def test_more_memory_never_makes_a_plan_worse(size: str, is_fast_in_bfloat16: bool) -> None:
    least = needed_at_least(size)
    steps = [on(least + tenth * GB / 10, size, is_fast_in_bfloat16=is_fast_in_bfloat16) for tenth in range(10, 320, 3)]
    assert [worth(step) for step in steps] == sorted(worth(step) for step in steps)
    assert worth(steps[0]) < worth(steps[-1]), "the steps cross some bounds"


def needed_at_least(size: str) -> int:
    """In float32, with the lowest rank and the shortest batch; found by asking for less and less."""
    low, high = 0, 64 * GB
    while high - low > 1:
        middle = (low + high) // 2
        try:
            on(middle, size)
            high = middle
        except TooLittleMemory:
            low = middle
    return high


@pytest.mark.parametrize("size", SIZES)
def test_the_refusal_names_the_very_least_that_fits(size: str) -> None:
    least = needed_at_least(size)
    with pytest.raises(TooLittleMemory) as refused:
        on(least - 1, size)
    assert f"takes {least / 1e9:.1f} GB at least ({SIZES[size].file_bytes / 1e9:.1f} GB of it the model)" in str(
        refused.value
    )
    assert f"and {(least - 1) / 1e9:.1f} GB are free; close other programs" in str(refused.value)


def test_a_bound_of_the_users_is_what_the_refusal_names() -> None:
    with pytest.raises(TooLittleMemory, match=r"and 1\.0 GB are allowed; raise --max-memory or trainer\.max_memory"):
        on(GB, "1.5B", is_bounded=True)


@pytest.mark.parametrize("size", SIZES)
def test_what_shrinks_first_is_speed_then_the_rank_and_the_longest_example_last(size: str) -> None:
    least = needed_at_least(size)
    plans = [on(least + step * 20_000_000, size) for step in range(200)]
    for found in plans:
        if found.most_tokens < 600:
            assert found.batch_tokens < 600
        elif found.rank < 16:
            assert (found.batch_tokens, found.is_checkpointed) == (600, True), "speed goes before the rank"
    assert plans[0].most_tokens < 600, "the least that fits cuts examples"
    assert {16, 8, 4} == {found.rank for found in plans if found.most_tokens == 600}


def test_a_low_rank_is_not_lowered_to_nothing() -> None:
    assert on(needed_at_least("0.5B"), "0.5B", rank=LEAST_RANK).rank == LEAST_RANK


def test_an_example_longer_than_any_batch_has_a_batch_of_its_own() -> None:
    found = on(32 * GB, "0.5B", longest=5000)
    assert (found.batch_tokens, found.most_tokens) == (5000, 5000)


def test_a_short_longest_example_leaves_the_batch_as_large_as_fits() -> None:
    found = on(16 * GB, "0.5B", longest=40)
    assert (found.batch_tokens, found.most_tokens) == (BATCH_TOKENS[0], 40)


@pytest.mark.parametrize(
    ("size", "is_fast", "is_bfloat16"),
    [(SIZES["0.5B"], True, True), (SIZES["0.5B"], False, False), (SEEDLING, True, False), (SEEDLING, False, False)],
    ids=["large and fast", "large and slow", "small and fast", "small and slow"],
)
def test_bfloat16_is_for_large_models_where_it_is_fast(size: Size, is_fast: bool, is_bfloat16: bool) -> None:
    assert on(8 * GB, size, is_fast_in_bfloat16=is_fast).is_bfloat16 is is_bfloat16


def test_on_a_gpu_the_libraries_are_in_other_memory_and_all_is_unpacked_where_it_fits() -> None:
    on_gpu, beside = (on(80 * GB, "1.5B", is_fast_in_bfloat16=True, is_gpu=is_gpu) for is_gpu in (True, False))
    assert beside.needed_bytes - on_gpu.needed_bytes == LIBRARIES_BYTES
    assert on_gpu.workspace_values == SIZES["1.5B"].values
    least = needed_at_least("1.5B")
    assert on(least - LIBRARIES_BYTES, "1.5B", is_gpu=True).needed_bytes == least - LIBRARIES_BYTES


def test_a_small_model_stays_unpacked_whole() -> None:
    found = on(2 * GB, SEEDLING)
    assert found.workspace_values == SEEDLING.values
    assert (found.batch_tokens, found.rank, found.is_checkpointed) == (2048, 16, False)


def test_logits_of_a_small_vocabulary_take_what_its_tokens_do() -> None:
    small, large = (replace(SEEDLING, rows=rows) for rows in (1000, 2000))
    more = on(2 * GB, large).needed_bytes - on(2 * GB, small).needed_bytes
    # A thousand tokens more: their logits twice and once more for each token of a batch, and their rows, in float32.
    assert more == 1000 * (2048 * 3 * 4 + 256 * 4)


@given(
    free=st.integers(0, 64 * GB),
    size=st.sampled_from([*SIZES.values(), SEEDLING]),
    rank=st.integers(1, 64),
    longest=st.integers(1, 8192),
    is_fast=st.booleans(),
    is_gpu=st.booleans(),
)
def test_a_plan_stays_within_the_free_memory_and_can_unpack_every_matrix(
    free: int, size: Size, rank: int, longest: int, is_fast: bool, is_gpu: bool
) -> None:
    try:
        found = plan(Machine(free, 1, is_fast, is_gpu), size, rank, longest)
    except TooLittleMemory:
        with pytest.raises(TooLittleMemory):  # nor does less memory help
            plan(Machine(free // 2, 1, is_fast, is_gpu), size, rank, longest)
        return
    assert found.needed_bytes <= free
    assert size.largest_values <= found.workspace_values <= size.values
    assert 1 <= found.most_tokens <= min(longest, found.batch_tokens)
    assert min(rank, LEAST_RANK) <= found.rank <= rank
    assert plan(Machine(found.needed_bytes, 1, is_fast, is_gpu), size, rank, longest).needed_bytes <= free
