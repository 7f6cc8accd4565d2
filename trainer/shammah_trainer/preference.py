"""Direct preference: an answer that is wanted over the one that was rejected, with the adapter off as the reference."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
from peft import PeftModel
from torch import Tensor

from shammah_trainer.dataset import Row, collate
from shammah_trainer.evaluate import row_by_row
from shammah_trainer.losses import tell
from shammah_trainer.spread import ALONE, Spread

BETA = 0.1
"""How many nats of a margin count as one; DPO's usual value."""

Pair = tuple[Row, Row]
"""The same prompt with the answer that is wanted, and with the one that was rejected."""


def pulls(
    model: PeftModel, shares: Mapping[Pair, float], padding: int, batch_tokens: int, spread: Spread = ALONE
) -> dict[Row, float]:
    """How strongly each answer is pulled up, or, below 0, pushed down: the gradient of DPO's loss by log-probabilities.

    The loss of a pair is -log sigmoid(BETA * margin) (Rafailov et al. 2023, equation 7), where the margin is by how
    many nats more the adapter has lifted the wanted answer than the rejected one. Its gradient is taken by hand, so
    that both answers need not be in memory at once: BETA * sigmoid(-BETA * margin), up and down.

    Args:
        model: With the adapter that is trained.
        shares: What each pair's loss counts.
        padding: The token that fills batches.
        batch_tokens: So many at a time.
        spread: Who looks at them.
    """
    rows = list(dict.fromkeys(row for pair in shares for row in pair))
    lifted = dict(zip(rows, _lifted(model, rows, padding, batch_tokens, spread), strict=True))
    found: dict[Row, float] = defaultdict(float)
    for (wanted, rejected), share in shares.items():
        margin = torch.tensor(lifted[wanted] - lifted[rejected])
        pull = share * BETA * float(torch.sigmoid(-BETA * margin))
        found[wanted] += pull
        found[rejected] -= pull
    return dict(found)


def log_probabilities(model: PeftModel, rows: Sequence[Row], padding: int) -> Tensor:
    """Of each row's whole completion, (rows,), in nats."""
    told = tell(model, collate(rows, padding))
    return -told.nats.new_zeros(len(rows)).index_add(0, told.rows, told.nats)


@torch.no_grad()
def _lifted(model: PeftModel, rows: Sequence[Row], padding: int, batch_tokens: int, spread: Spread) -> list[float]:
    """By how much the adapter raises each row's log-probability."""

    def see(own: Sequence[Row]) -> list[float]:
        with model.disable_adapter():
            reference = log_probabilities(model, own, padding)
        lifted: list[float] = (log_probabilities(model, own, padding) - reference).tolist()
        return lifted

    return row_by_row(rows, batch_tokens, spread, see)
