"""What torch makes of blocks is what ggml makes of them."""

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Type

from shammah_convert import ggml
from shammah_trainer import blocks
from tests.convert.test_ggml import WRITTEN, random_blocks


@pytest.mark.parametrize("kind", WRITTEN, ids=lambda kind: kind.name)
def test_torch_unpacks_every_type_as_ggml_does(kind: Type) -> None:
    packed = random_blocks(kind, rows=3, columns=512)
    wanted = ggml.unpack(packed, kind)
    found = blocks.unpack(torch.from_numpy(packed), kind).numpy()
    assert found.shape == wanted.shape
    # ggml's compiler may fuse a product and a sum, which rounds once where torch rounds twice.
    assert np.allclose(found, wanted, rtol=1e-6, atol=2e-7 * np.abs(wanted).max())
    assert blocks.knows(kind)


def test_a_type_that_is_not_written_for_a_qwen_is_not_known() -> None:
    assert not blocks.knows(Type.IQ1_S)
