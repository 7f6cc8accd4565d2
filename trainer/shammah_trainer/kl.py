"""How far the adapters move what the base would say: the Kullback-Leibler divergence, position by position."""

import torch
from peft import PeftModel
from torch import Tensor

from shammah_trainer.dataset import IGNORED, Batch
from shammah_trainer.layers import PackedHead
from shammah_trainer.losses import hidden_states


@torch.no_grad()
def divergences(model: PeftModel, batch: Batch) -> tuple[Tensor, Tensor]:
    """KL(base || base with the adapters that are set) at the positions before a batch's targets, in nats.

    Some adapter is set. The vocabulary passes in chunks, so that the logits never exist whole.

    Returns:
        The divergences, (targets,), and the row of the batch that each is in, (targets,).
    """
    is_before = torch.zeros_like(batch.mask)
    is_before[:, :-1] = batch.labels[:, 1:] != IGNORED
    places = is_before[batch.mask]
    with model.disable_adapter():
        base = hidden_states(model, batch)[places]
    moved = hidden_states(model, batch)[places]
    head: PackedHead = model.base_model.model.lm_head
    return head.divergence(base, moved), is_before.nonzero()[:, 0]
