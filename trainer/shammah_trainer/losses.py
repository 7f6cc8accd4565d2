"""The loss of completions, with logits for their tokens alone: a vocabulary of 150,000 makes the rest dear."""

from dataclasses import dataclass

import torch
from peft import PeftModel
from torch import Tensor
from torch.nn import functional

from shammah_trainer.dataset import IGNORED, Batch


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
        totals = torch.zeros(count, dtype=self.nats.dtype).index_add(0, self.rows, self.nats)
        return totals / torch.bincount(self.rows, minlength=count).clamp(min=1)


def tell(model: PeftModel, batch: Batch) -> Told:
    """Run the model over a batch, and the output layer over the positions before a target."""
    causal = model.base_model.model
    hidden = causal.model(input_ids=batch.tokens, attention_mask=batch.mask.long()).last_hidden_state
    targets = batch.labels[:, 1:]
    is_target = targets != IGNORED
    logits = causal.lm_head(hidden[:, :-1][is_target]).float()  # (targets, vocabulary)
    wanted = targets[is_target]
    return Told(
        nats=functional.cross_entropy(logits, wanted, reduction="none"),
        is_likeliest=logits.detach().argmax(-1) == wanted,
        rows=is_target.nonzero()[:, 0],
    )


def hidden_states(model: PeftModel, batch: Batch) -> Tensor:
    """The last hidden state, normalised, of every token that is no padding: (tokens, width)."""
    causal = model.base_model.model
    hidden: Tensor = causal.model(input_ids=batch.tokens, attention_mask=batch.mask.long()).last_hidden_state
    return hidden[batch.mask]


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
    causal = model.base_model.model
    hidden = causal.model(input_ids=tokens[None]).last_hidden_state
    logits: Tensor = causal.lm_head(hidden[0, -1])
    return logits.float()
