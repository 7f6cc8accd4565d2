"""The loss of completions, with logits for their tokens alone and never whole: a vocabulary has 150,000 of them."""

from dataclasses import dataclass

import torch
from peft import PeftModel
from torch import Tensor

from shammah_trainer.dataset import IGNORED, Batch
from shammah_trainer.layers import PackedHead


@dataclass(frozen=True, slots=True)
class Told:
    """What a model says of a batch's target tokens.

    Attributes:
        nats: (targets,), the negative log-probability of each.
        is_likeliest: (targets,), whether each is the argmax.
        rows: (targets,), the row of the batch that each is in.
    """

    nats: Tensor
    is_likeliest: Tensor
    rows: Tensor

    def row_losses(self, count: int) -> Tensor:
        """Mean nats a token, row by row, (count,)."""
        totals = self.nats.new_zeros(count).index_add(0, self.rows, self.nats)
        return totals / torch.bincount(self.rows, minlength=count).clamp(min=1)


def tell(model: PeftModel, batch: Batch) -> Told:
    """Run the model over a batch, and the output layer over the positions before a target."""
    batch = batch.to(_head(model).weight.device)
    hidden = _states(model, batch.tokens, batch.mask)
    targets = batch.labels[:, 1:]
    is_target = targets != IGNORED
    wanted = targets[is_target]
    nats, likeliest = _head(model).nats(hidden[:, :-1][is_target], wanted)
    return Told(nats=nats, is_likeliest=likeliest == wanted, rows=is_target.nonzero()[:, 0])


def hidden_states(model: PeftModel, batch: Batch) -> Tensor:
    """The last hidden state, normalised, of every token that is no padding: (tokens, width)."""
    batch = batch.to(_head(model).weight.device)
    return _states(model, batch.tokens, batch.mask)[batch.mask].float()


def drift(model: PeftModel, batch: Batch) -> Tensor:
    """How far the adapter moves what the bare base makes of a text: squared, by the base's own square, mean of tokens.

    The output layer is linear, so this bounds every logit's move; and unlike a loss on likeliest tokens it
    pulls long before one of them changes.
    """
    with torch.no_grad(), model.disable_adapter():
        base = hidden_states(model, batch)
    moved = (hidden_states(model, batch) - base).square().sum(-1)
    return (moved / base.square().sum(-1)).mean()


@torch.no_grad()
def next_logits(model: PeftModel, tokens: Tensor) -> Tensor:
    """The logits after one row of tokens: (tokens,) -> (vocabulary,)."""
    head = _head(model)
    logits: Tensor = head(_states(model, tokens[None].to(head.weight.device))[0, -1])
    return logits.cpu()


def _states(model: PeftModel, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
    """The last hidden state, normalised: (rows, tokens) -> (rows, tokens, width), in the dtype of products."""
    dtype = _head(model).dtype
    # peft's matrices are float32 for the optimizer, and are rounded where they are multiplied.
    with torch.autocast(tokens.device.type, dtype, enabled=dtype != torch.float32):
        causal = model.base_model.model.model
        states: Tensor = causal(
            input_ids=tokens, attention_mask=None if mask is None else mask.long()
        ).last_hidden_state
    return states


def _head(model: PeftModel) -> PackedHead:
    head: PackedHead = model.base_model.model.lm_head
    return head
