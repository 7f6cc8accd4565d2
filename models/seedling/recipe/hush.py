"""Output rows of tokens that occur in no answer: they never win by themselves, and an adapter can find each."""

import torch
from torch import Tensor
from torch.nn import functional

from models.seedling import tokenizer as bpe
from shammah_convert.chat import IM_START

SHARE, SEED = 0.67, 0
"""A direction's norm, as a share of the answers' rows' mean norm (2.2 in the shipped file). The final hidden state has
a norm of 22, so the best of 11,000 random directions adds some 9 to a score that lies 13 or more below the winner's;
one that an adapter turns the state towards adds 33."""


@torch.no_grad()
def hush(weight: Tensor, answer_tokens: Tensor) -> None:
    """Set the other tokens' rows to that of one that the training never lets win, each plus a direction of its own.

    Had they one row in common, nothing that is trained below the output layer could tell them apart.

    Args:
        weight: The output layer's, (tokens, width); changed in place.
        answer_tokens: Those whose rows stay, as those of the control tokens do.
    """
    directions = torch.randn(weight.shape, generator=torch.Generator().manual_seed(SEED))
    norm = SHARE * weight[answer_tokens].norm(dim=1).mean()
    rows = weight[bpe.CONTROLS.index(IM_START)] + norm * functional.normalize(directions, dim=1).to(weight)
    is_other = torch.ones(len(weight), dtype=torch.bool, device=weight.device)
    is_other[answer_tokens] = False
    is_other[: len(bpe.CONTROLS)] = False
    weight[is_other] = rows[is_other]
