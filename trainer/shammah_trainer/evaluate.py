"""Candidate against what is active: the loss and exactness of completions, and probes for the runtime to repeat."""

import math
from collections.abc import Sequence

import torch
from peft import PeftModel

from shammah_convert.job import Probe, Score
from shammah_trainer.dataset import Row, collate, in_batches
from shammah_trainer.losses import next_logits, tell

PROBES, TOP_LOGITS = 8, 20


@torch.no_grad()
def score(model: PeftModel, rows: Sequence[Row], padding: int) -> Score:
    """Loss, exactness and sureness of the rows' completions."""
    nats, targets, exact, most = 0.0, 0, 0, 0.0
    for part in in_batches(rows):
        told = tell(model, collate(part, padding))
        nats += float(told.nats.sum())
        targets += len(told.nats)
        missed = torch.bincount(told.rows[~told.is_likeliest], minlength=len(part))
        exact += int((missed == 0).sum())
        most = max(most, float(told.nats.max()))
    return Score(len(rows), nats / max(1, targets), exact, math.exp(-most))


def probes(model: PeftModel, rows: Sequence[Row]) -> tuple[Probe, ...]:
    """The largest logits after the first rows' prompts."""
    return tuple(_probe(model, row.tokens[: row.prompt_tokens]) for row in rows[:PROBES])


def _probe(model: PeftModel, tokens: tuple[int, ...]) -> Probe:
    logits = next_logits(model, torch.tensor(tokens))
    values, indices = logits.topk(min(TOP_LOGITS, len(logits)))
    return Probe(tokens, tuple(zip(indices.tolist(), values.tolist(), strict=True)))
