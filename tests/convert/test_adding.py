"""Several adapters as one."""

import numpy as np
import pytest

from shammah_convert.adding import added
from shammah_convert.lora import Adapter, Matrix, check
from tests.lora_files import BASE, CARD, UP, Q, make_lora


def delta(adapter: Adapter, module: str) -> Matrix:
    """What an adapter adds to a module's matrix."""
    if module not in adapter.pairs:
        return np.zeros((1, 1), dtype=np.float32)
    lora_a, lora_b = adapter.pairs[module]
    return adapter.alpha / len(lora_a) * (lora_b @ lora_a)


@pytest.mark.parametrize("module", [UP, Q])
def test_the_sum_does_what_all_do_together_each_at_its_scale(module: str) -> None:
    one, other = make_lora(CARD, modules=(UP, Q), seed=1), make_lora(CARD, modules=(UP,), seed=2)
    wanted = 0.5 * delta(one, module) - 2.0 * delta(other, module)
    np.testing.assert_allclose(delta(added([(one, 0.5), (other, -2.0)]), module), wanted, rtol=1e-4, atol=1e-5)


def test_all_modules_of_a_sum_have_one_rank_and_its_scale_is_1() -> None:
    one, other = make_lora(CARD, modules=(UP, Q), seed=1), make_lora(CARD, modules=(UP,), seed=2)
    summed = added([(one, 1.0), (other, 1.0)])
    assert {len(lora_a) for lora_a, _ in summed.pairs.values()} == {8}
    assert summed.alpha == 8
    check(summed, BASE)
