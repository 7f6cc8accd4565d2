"""Candidate against what is active: losses, exactness and drift, and probes for the runtime to repeat."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from peft import PeftModel
from torch import Tensor

from shammah_convert import intervals
from shammah_convert.job import Change, Measure, Probe, Score
from shammah_trainer.dataset import BATCH_TOKENS, Row, collate, in_batches
from shammah_trainer.kl import divergences
from shammah_trainer.losses import next_logits, tell

PROBES, TOP_LOGITS = 8, 20


@dataclass(frozen=True, slots=True)
class Tally:
    """What a model makes of completions, row by row.

    Attributes:
        nats: Of each row, over its completion's tokens.
        tokens: So many each has.
        exact: Rows each of whose tokens is the likeliest.
        most: The most nats of any token.
    """

    nats: tuple[float, ...]
    tokens: tuple[int, ...]
    exact: int
    most: float

    @property
    def score(self) -> Score:
        """All rows together."""
        return Score(
            rows=len(self.nats),
            loss=sum(self.nats) / max(1, sum(self.tokens)),
            exact=self.exact,
            least=math.exp(-self.most) if self.nats else 0.0,
            loss_interval=intervals.of_ratio(self.nats, self.tokens),
        )


@torch.no_grad()
def tally(model: PeftModel, rows: Sequence[Row], padding: int, batch_tokens: int = BATCH_TOKENS) -> Tally:
    """Count the nats, tokens and exact completions of rows, so many tokens at a time."""
    nats: list[float] = []
    tokens: list[int] = []
    exact, most = 0, 0.0
    for part in in_batches(rows, batch_tokens):
        told = tell(model, collate(part, padding))
        nats += _sums(told.nats, told.rows, len(part))
        tokens += torch.bincount(told.rows, minlength=len(part)).tolist()
        missed = torch.bincount(told.rows[~told.is_likeliest], minlength=len(part))
        exact += int((missed == 0).sum())
        most = max(most, float(told.nats.max()))
    return Tally(tuple(nats), tuple(tokens), exact, most)


def score(model: PeftModel, rows: Sequence[Row], padding: int, batch_tokens: int = BATCH_TOKENS) -> Score:
    """Loss, exactness and sureness of the rows' completions."""
    return tally(model, rows, padding, batch_tokens).score


def difficulties(model: PeftModel, rows: Sequence[Row], padding: int, batch_tokens: int = BATCH_TOKENS) -> list[float]:
    """Nats a token of each row."""
    told = tally(model, rows, padding, batch_tokens)
    return [nats / tokens for nats, tokens in zip(told.nats, told.tokens, strict=True)]


def change(before: Tally, after: Tally) -> Change:
    """Two tallies of the same rows; how much the loss rose is told row by row, which says more than either loss."""
    rises = [now - then for then, now in zip(before.nats, after.nats, strict=True)]
    return Change(before.score, after.score, intervals.of_ratio(rises, after.tokens))


def drift(model: PeftModel, rows: Sequence[Row], padding: int, batch_tokens: int = BATCH_TOKENS) -> Measure:
    """How far the adapters that are set, some at least, move the base's answers: KL(base || model), in nats a token."""
    nats: list[float] = []
    tokens: list[int] = []
    for part in in_batches(rows, batch_tokens):
        found, places = divergences(model, collate(part, padding))
        nats += _sums(found, places, len(part))
        tokens += torch.bincount(places, minlength=len(part)).tolist()
    return Measure(sum(nats) / max(1, sum(tokens)), intervals.of_ratio(nats, tokens))


def _sums(values: Tensor, rows: Tensor, count: int) -> list[float]:
    """The sum of the values in each row."""
    found: list[float] = values.new_zeros(count).index_add(0, rows, values).tolist()
    return found


def probes(model: PeftModel, rows: Sequence[Row]) -> tuple[Probe, ...]:
    """The largest logits after the first rows' prompts."""
    return tuple(_probe(model, row.tokens[: row.prompt_tokens]) for row in rows[:PROBES])


def _probe(model: PeftModel, tokens: tuple[int, ...]) -> Probe:
    logits = next_logits(model, torch.tensor(tokens))
    values, indices = logits.topk(min(TOP_LOGITS, len(logits)))
    return Probe(tokens, tuple(zip(indices.tolist(), values.tolist(), strict=True)))
