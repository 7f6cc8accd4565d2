"""Candidate against what is active: losses, exactness and drift, and probes for the runtime to repeat."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from peft import PeftModel
from torch import Tensor

from shammah_convert import intervals
from shammah_convert.job import Change, Measure, Probe, Score
from shammah_trainer.dataset import BATCH_TOKENS, Row, collate, in_batches
from shammah_trainer.kl import divergences
from shammah_trainer.losses import next_logits, tell
from shammah_trainer.spread import ALONE, Spread

T = TypeVar("T")

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


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a model makes of one completion."""

    nats: float
    tokens: int
    is_exact: bool
    most: float


@torch.no_grad()
def tally(
    model: PeftModel, rows: Sequence[Row], padding: int, batch_tokens: int = BATCH_TOKENS, spread: Spread = ALONE
) -> Tally:
    """Count the nats, tokens and exact completions of rows, so many tokens at a time."""
    seen = row_by_row(rows, batch_tokens, spread, lambda own: _see(model, own, padding))
    return Tally(
        nats=tuple(row.nats for row in seen),
        tokens=tuple(row.tokens for row in seen),
        exact=sum(row.is_exact for row in seen),
        most=max((row.most for row in seen), default=0.0),
    )


def _see(model: PeftModel, rows: Sequence[Row], padding: int) -> list[_Seen]:
    told = tell(model, collate(rows, padding))
    tokens = torch.bincount(told.rows, minlength=len(rows))
    missed = torch.bincount(told.rows[~told.is_likeliest], minlength=len(rows))
    most = torch.zeros(len(rows)).scatter_reduce(0, told.rows.cpu(), told.nats.cpu(), "amax")
    columns = _sums(told.nats, told.rows, len(rows)), tokens.tolist(), (missed == 0).tolist(), most.tolist()
    return [_Seen(*values) for values in zip(*columns, strict=True)]


def row_by_row(
    rows: Sequence[Row], batch_tokens: int, spread: Spread, see: Callable[[Sequence[Row]], list[T]]
) -> list[T]:
    """What is seen of each row, in order; each process looks at its share of every batch."""
    parts, mine = list(in_batches(rows, batch_tokens)), []
    for part in parts:
        own, weighs = spread.own(part)
        seen = see(own)
        mine.append(seen if weighs else [])
    every = spread.every(mine)  # by rank, batch, row
    return [
        every[place % spread.size][number][place // spread.size]
        for number, part in enumerate(parts)
        for place in range(len(part))
    ]


def score(
    model: PeftModel, rows: Sequence[Row], padding: int, batch_tokens: int = BATCH_TOKENS, spread: Spread = ALONE
) -> Score:
    """Loss, exactness and sureness of the rows' completions."""
    return tally(model, rows, padding, batch_tokens, spread).score


def difficulties(
    model: PeftModel, rows: Sequence[Row], padding: int, batch_tokens: int = BATCH_TOKENS, spread: Spread = ALONE
) -> list[float]:
    """Nats a token of each row."""
    told = tally(model, rows, padding, batch_tokens, spread)
    return [nats / tokens for nats, tokens in zip(told.nats, told.tokens, strict=True)]


def change(before: Tally, after: Tally) -> Change:
    """Two tallies of the same rows; how much the loss rose is told row by row, which says more than either loss."""
    rises = [now - then for then, now in zip(before.nats, after.nats, strict=True)]
    return Change(before.score, after.score, intervals.of_ratio(rises, after.tokens))


def drift(
    model: PeftModel, rows: Sequence[Row], padding: int, batch_tokens: int = BATCH_TOKENS, spread: Spread = ALONE
) -> Measure:
    """How far the adapters that are set, some at least, move the base's answers: KL(base || model), in nats a token."""

    def see(own: Sequence[Row]) -> list[tuple[float, int]]:
        found, places = divergences(model, collate(own, padding))
        counts: list[int] = torch.bincount(places, minlength=len(own)).tolist()
        return list(zip(_sums(found, places, len(own)), counts, strict=True))

    seen = row_by_row(rows, batch_tokens, spread, see)
    nats, tokens = [row[0] for row in seen], [row[1] for row in seen]
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
