"""Which token comes next, and how probable it was."""

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shammah.generation import Sampling
from shammah.local import powers as native
from shammah.sampler import NumpyPowers, Powers, Sampler

VOCABULARY = 13_001  # no multiple of any vector's width


def logits(seed: int, shift: float = 0.0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(shift, 4.0, VOCABULARY).astype(np.float32)


@pytest.fixture(params=["numpy", "native"])
def powers(request: pytest.FixtureRequest) -> Powers:
    return NumpyPowers(VOCABULARY) if request.param == "numpy" else native.powers(VOCABULARY)


def test_this_llama_cpp_has_the_native_kernel() -> None:
    assert isinstance(native.powers(VOCABULARY), native.NativePowers)


@pytest.mark.parametrize("shift", [0.0, 500.0, -500.0])
def test_a_log_probability_is_that_of_float64_wherever_the_logits_lie(powers: Powers, shift: float) -> None:
    row = logits(3, shift)
    exact = row.astype(np.float64)
    exact -= np.logaddexp.reduce(exact)
    token, logprob = Sampler(Sampling(1), powers).choose(row)
    assert token == exact.argmax()
    assert logprob == pytest.approx(exact[token], abs=2e-4)


def test_two_buffers_in_turn_are_not_confused(powers: Powers) -> None:
    first, second = logits(1), logits(2)
    exact = [math.log(np.exp(row.astype(np.float64) - 20.0).sum()) for row in (first, second)]
    assert [math.log(powers.sum(row, 20.0)) for row in (first, second, first)] == pytest.approx(
        [exact[0], exact[1], exact[0]], abs=1e-5
    )


def test_a_buffer_that_is_written_again_is_read_again(powers: Powers) -> None:
    row = logits(1)
    powers.sum(row, 20.0)
    row[:] = logits(2)
    assert powers.sum(row, 20.0) == pytest.approx(NumpyPowers(VOCABULARY).sum(logits(2), 20.0), rel=1e-5)


def test_a_drawn_token_gets_its_own_probability(powers: Powers) -> None:
    row = logits(5)
    sampler = Sampler(Sampling(1, temperature=1.5, seed=7), powers)
    exact = row.astype(np.float64) - np.logaddexp.reduce(row.astype(np.float64))
    drawn = [sampler.choose(row) for _ in range(20)]
    assert len({token for token, _ in drawn}) > 1
    assert [logprob for _, logprob in drawn] == pytest.approx([exact[token] for token, _ in drawn], abs=2e-4)


def test_without_the_kernel_numpy_does_it(tmp_path: Path) -> None:
    assert isinstance(native.powers(VOCABULARY, tmp_path), NumpyPowers)


@pytest.mark.parametrize(
    ("shares", "top_p", "wanted"),
    [((0.5, 0.3, 0.2), 0.75, {0, 1}), ((0.5, 0.3, 0.2), 0.0, {0}), ((0.5, 0.3, 0.2), 1.0, {0, 1, 2})],
)
def test_a_draw_is_from_the_nucleus(shares: tuple[float, ...], top_p: float, wanted: set[int]) -> None:
    row = np.log(np.array(shares)).astype(np.float32)
    drawn = {Sampler(Sampling(1, 1.0, seed, top_p=top_p), NumpyPowers(3)).choose(row)[0] for seed in range(60)}
    assert drawn == wanted


def test_a_nucleus_that_is_wide_is_whole(powers: Powers) -> None:
    row = np.zeros(VOCABULARY, dtype=np.float32)
    drawn = {Sampler(Sampling(1, 1.0, seed, top_p=0.5), powers).choose(row)[0] for seed in range(40)}
    assert len(drawn) > 30  # from 6,501 tokens
