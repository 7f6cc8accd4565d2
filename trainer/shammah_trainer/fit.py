"""The LoRA loop, read top to bottom: draw by weight, replay, step, and stop when it has learnt enough."""

import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from peft import PeftModel
from torch import nn

from shammah_convert.job import Plan, Score
from shammah_trainer import lora
from shammah_trainer.dataset import BATCH_TOKENS, Row, collate, draw, in_batches
from shammah_trainer.evaluate import drift as moved
from shammah_trainer.evaluate import score
from shammah_trainer.losses import drift, tell

# AdamW's step is to shrink as matrices grow wider (muP): 1e-3 at 256, 1.7e-4 at 1536, 7e-5 at 3584.
RATE_BY_WIDTH = 0.256
LEAST_EPOCH_STEPS = 8
WARM_STEPS = 10
CLIP = 1.0
SURE = 0.8
"""The least probability of any target token at which a correction counts as learnt: well clear of being outvoted."""
PATIENCE_EPOCHS = 5
LEAST_GAIN = 0.01
EPOCHS_WITHOUT_CORRECTIONS = 3


class Broken(RuntimeError):
    """The loss is no number any more; the text names step and examples."""


class Cancelled(RuntimeError):
    """Somebody asked the training to stop."""


@dataclass(frozen=True, slots=True)
class Data:
    """What is drawn from, and what is watched.

    Attributes:
        rows: All that is learnt.
        weights: Of each row; it is drawn with probability weight / sum of weights.
        ids: Of each row's example.
        corrections: Rows that a user rated: learning them is the aim. Without any, all rows are.
        replay: The base's own answers to other questions, which are to stay as they are.
        general: The base's own answers that are never replayed: how far they have moved is watched.
        batch_tokens: So many at a time, padding counted.
    """

    rows: Sequence[Row]
    weights: Sequence[float]
    ids: Sequence[str]
    corrections: Sequence[Row]
    replay: Sequence[Row]
    padding: int
    batch_tokens: int = BATCH_TOKENS
    general: Sequence[Row] = ()

    @property
    def aims(self) -> Sequence[Row]:
        """The rows whose learning ends the training."""
        return self.corrections or self.rows


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the optimizer, as it is told.

    Attributes:
        drawn: Places of the rows that were drawn.
        loss: Nats a token on them.
    """

    epoch: int
    step: int
    steps: int
    drawn: tuple[int, ...]
    loss: float
    seconds_left: float


class Watch(Protocol):
    """Hears how it goes."""

    def breathe(self) -> None:
        """Between two batches, where little is held: it may stand still here.

        Raises:
            Cancelled: No other is wanted.
        """
        ...

    def step(self, step: Step) -> None:
        """A step was made.

        Raises:
            Cancelled: No other is wanted.
        """
        ...

    def epoch(self, epoch: int, aims: Score) -> None:
        """An epoch is over; how well its aims are learnt."""
        ...


@dataclass(frozen=True, slots=True)
class Fitted:
    """How the loop went."""

    epochs: int
    steps: int
    stopped: str


def fit(model: PeftModel, data: Data, plan: Plan, width: int, seed: int, watch: Watch) -> Fitted:
    """Train the candidate adapter.

    Raises:
        Broken: The loss is no number any more.
        Cancelled: The watch wants no more.
    """
    parameters = lora.parameters(model)
    optimizer = torch.optim.AdamW(parameters, lr=plan.learning_rate or RATE_BY_WIDTH / width, weight_decay=0.0)
    chance = torch.Generator().manual_seed(seed)
    most_epochs = plan.most_epochs if data.corrections else min(plan.most_epochs, EPOCHS_WITHOUT_CORRECTIONS)
    an_epoch = max(LEAST_EPOCH_STEPS, math.ceil(len(data.rows) / plan.batch_rows))
    progress, started = _Progress(), time.monotonic()
    for epoch in range(1, most_epochs + 1):
        for step in range((epoch - 1) * an_epoch + 1, epoch * an_epoch + 1):
            drawn = draw(data.weights, plan.batch_rows, chance)
            loss = _step(model, data, drawn, _replayed(data, plan, chance), plan, optimizer, step, watch)
            if not math.isfinite(loss):
                raise Broken(f"the loss is {loss} in step {step}, on {', '.join(data.ids[place] for place in drawn)}")
            left = (time.monotonic() - started) / step * (most_epochs * an_epoch - step)
            watch.step(Step(epoch, step, most_epochs * an_epoch, tuple(drawn), loss, left))
        now = score(model, data.aims, data.padding)
        watch.epoch(epoch, now)
        if reason := _why_stop(model, data, plan, now, progress):
            return Fitted(epoch, epoch * an_epoch, reason)
    return Fitted(most_epochs, most_epochs * an_epoch, f"{most_epochs} epochs are over")


def _why_stop(model: PeftModel, data: Data, plan: Plan, now: Score, progress: "_Progress") -> str:
    """Why an epoch was the last; empty where another is worth while.

    Replay draws the base's other answers back: corrections that are learnt too early wait for them.
    """
    if data.corrections and now.least >= SURE and _is_near(model, data, plan):  # then each is exact, too
        return "every correction is learnt"
    return f"no gain in {PATIENCE_EPOCHS} epochs" if progress.has_stalled(now.loss) else ""


def _is_near(model: PeftModel, data: Data, plan: Plan) -> bool:
    return not data.general or moved(model, data.general, data.padding).value <= plan.most_drift


class _Progress:
    """Tells when the loss falls no more."""

    def __init__(self) -> None:
        self._best, self._waited = math.inf, 0

    def has_stalled(self, loss: float) -> bool:
        self._waited = 0 if loss < self._best * (1 - LEAST_GAIN) else self._waited + 1
        self._best = min(self._best, loss)
        return self._waited >= PATIENCE_EPOCHS


def _replayed(data: Data, plan: Plan, chance: torch.Generator) -> list[Row]:
    """As many of the base's own answers as the plan wants, each as likely as the others."""
    count = min(plan.replay_rows, len(data.replay))
    return [data.replay[place] for place in torch.randperm(len(data.replay), generator=chance)[:count].tolist()]


def _step(
    model: PeftModel,
    data: Data,
    drawn: Sequence[int],
    replayed: Sequence[Row],
    plan: Plan,
    optimizer: torch.optim.Optimizer,
    step: int,
    watch: Watch,
) -> float:
    """One step on the rows drawn and replayed; the loss on those drawn, in nats a token."""
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("peak", group["lr"]) * min(1.0, step / WARM_STEPS)
    # A row that was drawn twice is run once and counts twice.
    counts = Counter(data.rows[place] for place in drawn)
    shares = {row: count / len(drawn) for row, count in counts.items()}
    loss = _descend(model, shares, data, watch)
    for part in _in_batches(replayed, data, watch):
        share = plan.replay_weight * len(part) / len(replayed)
        torch.autograd.backward(share * drift(model, collate(part, data.padding)))
    nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], CLIP)
    optimizer.step()
    optimizer.zero_grad()
    return loss


def _descend(model: PeftModel, shares: Mapping[Row, float], data: Data, watch: Watch) -> float:
    """Add the gradient of a sum over rows, each with its share, of their mean nats a token; that sum."""
    total = 0.0
    for part in _in_batches(list(shares), data, watch):
        losses = tell(model, collate(part, data.padding)).row_losses(len(part))
        loss = losses @ losses.new_tensor([shares[row] for row in part])
        torch.autograd.backward(loss)
        total += float(loss.detach())
    return total


def _in_batches(rows: Sequence[Row], data: Data, watch: Watch) -> Iterator[list[Row]]:
    """As many rows at a time as fit; the watch may let it all stand still before each."""
    for part in in_batches(rows, data.batch_tokens):
        watch.breathe()
        yield part
