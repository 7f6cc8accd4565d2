"""A step's gradients are the same, however its rows are put into batches."""

import pytest
import torch
from peft import PeftModel

from shammah_convert.job import Plan
from shammah_trainer import descent, lora
from shammah_trainer.base import Base
from shammah_trainer.data import Data
from shammah_trainer.descent import Descent
from shammah_trainer.spread import ALONE
from tests.trainer.fitting import Notes, base, data, model, path, row

__all__ = ["base", "model", "path"]

ANSWERS = ["ls", "ls -la", "find . -type f -name '*.txt' -size +100M", "du -sh . | sort -h"]


def gradients(model: PeftModel, what: Data) -> tuple[torch.Tensor, int]:
    """Of one step that draws every row, and how many batches it took."""
    notes = Notes()
    plan = Plan(batch_rows=len(what.rows), replay_rows=len(what.replay), replay_weight=20.0)
    model.zero_grad()
    Descent(model, what, plan, notes, ALONE).gradients(range(len(what.rows)), torch.Generator().manual_seed(1))
    found = [parameter.grad.flatten() for parameter in lora.parameters(model) if parameter.grad is not None]
    return torch.cat(found).clone(), notes.breaths


def test_rows_of_like_length_side_by_side_have_the_gradients_of_one_batch(
    model: PeftModel, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    with torch.no_grad():
        for parameter in lora.parameters(model):
            parameter.normal_(0, 0.1)  # a fresh adapter has moved nothing, and nothing pulls it back
    rows = [row(base, f"what is {place}", answer) for place, answer in enumerate(ANSWERS)]
    replay = [row(base, f"and what is {place}", answer) for place, answer in enumerate(ANSWERS)]
    what = data(base, rows, replay=replay)
    monkeypatch.setattr(descent, "PADDING_TOKENS", 10**6)
    together, batches = gradients(model, what)
    assert batches == 2, "what is learnt, and what is replayed"
    monkeypatch.setattr(descent, "PADDING_TOKENS", 4)
    apart, batches = gradients(model, what)
    assert batches > 3
    torch.testing.assert_close(apart, together, rtol=1e-4, atol=1e-5)
