"""The hand-over from reading to writing: what the guide decides becomes the feed-forward of the first writing layer.

A writing layer that starts from noise has to find out again which intent the reading layers saw, and reads a doubtful
question worse than the guide does. So it starts as a look-up table: one neuron an intent, which fires where the guide
would choose that intent, and adds the intent's code, a random direction, for the layers above to read.
"""

import logging
import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.seedling.recipe.losses import Guide
from models.seedling.recipe.model import Layer, Qwen2

log = logging.getLogger(__name__)

EPOCHS = 4
BATCH = 256
RATE = 2e-3
SHARE_OF_STATE = 1 / 3
"""How long an intent's code is, beside the hidden state that it is added to, where its neuron gives 1."""


class TooNarrow(ValueError):
    """The feed-forward has fewer neurons than there are intents."""


def hand_over(model: Qwen2, guide: Guide, ends: Tensor, layer: int) -> None:
    """Write the guide into a layer.

    Args:
        model: Its reading layers are trained.
        guide: Trained with them.
        ends: Hidden states at the ends of prompts, (prompts, width), to fit the neurons on.
        layer: The first writing layer.

    Raises:
        TooNarrow: There are more intents than neurons.
    """
    mlp = cast(Layer, model.model.layers[layer]).mlp
    with torch.no_grad():
        chosen = guide.choices(ends).argmax(-1)
    states = functional.rms_norm(ends, (ends.shape[1],))
    # No neuron has a bias; along this direction every state is about 1.
    constant = states.mean(0) / (states @ states.mean(0)).mean()
    neurons = _fitted(_linear(guide, ends, constant), states, chosen)
    intents = len(neurons)
    if intents > len(mlp.gate_proj.weight):
        raise TooNarrow(f"{intents} intents need a feed-forward of as many neurons, not {len(mlp.gate_proj.weight)}")
    length = ends.pow(2).mean().sqrt() * math.sqrt(ends.shape[1]) * SHARE_OF_STATE
    codes = functional.normalize(torch.randn(intents, ends.shape[1], device=ends.device), dim=-1) * length
    with torch.no_grad():
        mlp.gate_proj.weight[:intents] = neurons
        mlp.up_proj.weight[:intents] = constant
        mlp.down_proj.weight[:, :intents] = codes.T


def _linear(guide: Guide, ends: Tensor, constant: Tensor) -> Tensor:
    """The guide's choice as one matrix, (intents, width), without its normalisation: 0 halfway to the runner-up."""
    with torch.no_grad():
        matrix, bias = guide.as_linear(ends)
        states = functional.rms_norm(ends, (ends.shape[1],))
        best = (states @ matrix.T + bias).topk(2, dim=-1).values.mean()
        return matrix + torch.outer(bias - best, constant)


def _fitted(start: Tensor, states: Tensor, chosen: Tensor) -> Tensor:
    """Rows that are above 0 for the chosen intent and below for all others, as nearly as rows can be."""
    rows = nn.Parameter(start.clone())
    optimizer = torch.optim.AdamW([rows], lr=RATE, weight_decay=0.0)
    for epoch in range(EPOCHS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - epoch / EPOCHS)
        order = torch.randperm(len(states), device=states.device)
        for first in range(0, len(order), BATCH):
            batch = order[first : first + BATCH]
            wanted = functional.one_hot(chosen[batch], len(rows)).float()
            scores = states[batch] @ rows.T
            loss = functional.binary_cross_entropy_with_logits(scores, wanted, reduction="sum") / len(batch)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
    with torch.no_grad():
        agreed = ((states @ rows.T).argmax(-1) == chosen).float().mean()
        log.info("the first writing layer chooses as the guide does in %.1f%% of prompts", 100 * agreed)
    return rows.detach()
