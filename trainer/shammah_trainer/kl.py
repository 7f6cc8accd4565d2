"""How far the adapters move what the base would say: the Kullback-Leibler divergence, position by position."""

import torch
from peft import PeftModel
from torch import Tensor

from shammah_trainer.dataset import IGNORED, Batch
from shammah_trainer.losses import hidden_states

MOST_LOGITS = 2**23
"""So many logits are held at a time, on either side: 32 MB in float32, 55 positions of a vocabulary of 150,000."""


@torch.no_grad()
def divergences(model: PeftModel, batch: Batch, most_logits: int = MOST_LOGITS) -> tuple[Tensor, Tensor]:
    """KL(base || base with the adapters that are set) at the positions before a batch's targets, in nats.

    Some adapter is set. The output layer sees a few positions at a time, so that their logits never exist whole.

    Returns:
        The divergences, (targets,), and the row of the batch that each is in, (targets,).
    """
    is_before = torch.zeros_like(batch.mask)
    is_before[:, :-1] = batch.labels[:, 1:] != IGNORED
    places = is_before[batch.mask]
    with model.disable_adapter():
        base = hidden_states(model, batch)[places]
    moved = hidden_states(model, batch)[places]
    layer = model.base_model.model.lm_head
    positions = max(1, most_logits // model.config.vocab_size)
    found = [
        _divergence(layer(one).float().log_softmax(-1), layer(other).float().log_softmax(-1))
        for one, other in zip(torch.split(base, positions), torch.split(moved, positions), strict=True)
    ]
    return torch.cat([base.new_zeros(0), *found]), is_before.nonzero()[:, 0]


def _divergence(base: Tensor, moved: Tensor) -> Tensor:
    """Of log-probabilities, (positions, vocabulary)."""
    return (base.exp() * (base - moved)).sum(-1)
