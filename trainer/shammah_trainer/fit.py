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
from shammah_trainer import curriculum
from shammah_trainer.checkpoint import Learner, Reached
from shammah_trainer.dataset import BATCH_TOKENS, Row, collate, draw, in_batches
from shammah_trainer.evaluate import drift as moved
from shammah_trainer.evaluate import score
from shammah_trainer.health import Broken, fault
from shammah_trainer.losses import drift, tell
from shammah_trainer.preference import Pair, log_probabilities, pulls
from shammah_trainer.spread import ALONE, Spread
from shammah_trainer.stopping import (
    EPOCHS_WITHOUT_CORRECTIONS,
    HELD_OUT_PATIENCE_EPOCHS,
    LEAST_HELD_OUT,
    PATIENCE_EPOCHS,
    SURE,
    Patience,
)

# AdamW's step is to shrink as matrices grow wider (muP): 1e-3 at 256, 1.7e-4 at 1536, 7e-5 at 3584.
RATE_BY_WIDTH = 0.256
LEAST_EPOCH_STEPS = 8
WARM_STEPS = 10
CLIP = 1.0


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
        held_out: The teacher's answers that are not learnt.
        rejected: Beside each row the same with the answer that was rejected, where one was.
        difficulties: Of each row, nats a token before the training; without them all are drawn from the start.
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
    held_out: Sequence[Row] = ()
    rejected: Sequence[Row | None] = ()
    difficulties: Sequence[float] = ()

    @property
    def aims(self) -> Sequence[Row]:
        """The rows whose learning ends the training."""
        return self.corrections or self.rows

    @property
    def has_enough_held_out(self) -> bool:
        """Whether the teacher's held-out answers can tell when to stop."""
        return len(self.held_out) >= LEAST_HELD_OUT

    def weights_in(self, epoch: int) -> Sequence[float]:
        """The weights that an epoch draws by."""
        return curriculum.weights(self.weights, self.difficulties, epoch) if self.difficulties else self.weights


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

    def resumed(self, losses: Sequence[float]) -> None:
        """The steps that these are the losses of were made by an earlier process."""
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


class Keeper(Protocol):
    """Keeps what a killed process would lose."""

    def restore(self, learner: Learner) -> Reached | None:
        """Set a fresh learner to what was kept last; None where nothing was."""
        ...

    def is_due(self, is_epoch_over: bool) -> bool:
        """Whether enough would be lost."""
        ...

    def keep(self, learner: Learner, reached: Reached) -> None:
        """Keep it.

        Raises:
            OSError: The disk refuses.
        """
        ...


@dataclass(frozen=True, slots=True)
class Fitted:
    """How the loop went."""

    epochs: int
    steps: int
    stopped: str


def fit(
    model: PeftModel,
    data: Data,
    plan: Plan,
    width: int,
    seed: int,
    watch: Watch,
    keeper: Keeper | None = None,
    spread: Spread = ALONE,
) -> Fitted:
    """Train the candidate adapter, from where a keeper says that it stood, with all processes that there are.

    Raises:
        Broken: The loss or the gradient is no number any more, or the loss has exploded.
        Cancelled: The watch wants no more.
        OSError: A checkpoint cannot be written.
    """
    learner = Learner.fresh(model, plan.learning_rate or RATE_BY_WIDTH / width, seed)
    reached = (keeper.restore(learner) if keeper else None) or Reached()
    if reached.losses:
        watch.resumed(reached.losses)
    loop = _Loop(model, data, plan, learner, watch, keeper, spread)
    running = _Running(reached)
    while not running.stopped:
        loop.epoch(running)
    return Fitted(len(running.losses) // loop.epoch_steps, len(running.losses), running.stopped)


class _Running:
    """How far the loop is, as it goes on."""

    def __init__(self, reached: Reached) -> None:
        self.losses, self.stopped = list(reached.losses), reached.stopped
        self.aims = Patience(reached.best, reached.waited)
        self.held_out = Patience(reached.best_held_out, reached.waited_held_out)
        self._started, self._first = time.monotonic(), len(self.losses)

    def seconds_left(self, steps: int) -> float:
        """Until so many steps are made in all, at this process's own speed."""
        made = len(self.losses)
        return (time.monotonic() - self._started) / (made - self._first) * (steps - made)

    def reached(self) -> Reached:
        """What a checkpoint keeps of it."""
        return Reached(
            losses=tuple(self.losses),
            best=self.aims.best,
            waited=self.aims.waited,
            best_held_out=self.held_out.best,
            waited_held_out=self.held_out.waited,
            stopped=self.stopped,
        )


@dataclass(frozen=True, slots=True)
class _Loop:
    """What every step needs."""

    model: PeftModel
    data: Data
    plan: Plan
    learner: Learner
    watch: Watch
    keeper: Keeper | None
    spread: Spread

    @property
    def epoch_steps(self) -> int:
        return max(LEAST_EPOCH_STEPS, math.ceil(len(self.data.rows) / self.plan.batch_rows))

    @property
    def most_epochs(self) -> int:
        most = self.plan.most_epochs
        knows_when = self.data.corrections or self.data.has_enough_held_out
        return most if knows_when else min(most, EPOCHS_WITHOUT_CORRECTIONS)

    def epoch(self, running: _Running) -> None:
        """Go on to the end of an epoch, and see whether it was the last."""
        epoch = len(running.losses) // self.epoch_steps + 1
        while len(running.losses) < epoch * self.epoch_steps:
            self.step(running, epoch)
        data = self.data
        now = self.spread.same(score(self.model, data.aims, data.padding, data.batch_tokens, self.spread))
        self.watch.epoch(epoch, now)
        running.stopped = self._why_stop(now, running, epoch)
        if running.stopped:
            self.learner.go_back()
        if self.keeper and (running.stopped or self.keeper.is_due(is_epoch_over=True)):
            self.keeper.keep(self.learner, running.reached())

    def step(self, running: _Running, epoch: int) -> None:
        """Draw, descend, and look whether all is well before anything changes."""
        drawn = draw(self.data.weights_in(epoch), self.plan.batch_rows, self.learner.chance)
        loss, norm = self._gradients(drawn)
        running.losses.append(loss)
        step, steps = len(running.losses), self.most_epochs * self.epoch_steps
        if found := fault(running.losses, norm, self.model.config.vocab_size):
            raise Broken(f"{found} in step {step}, on {', '.join(self.data.ids[place] for place in drawn)}")
        for group in self.learner.optimizer.param_groups:
            group["lr"] = group.setdefault("peak", group["lr"]) * min(1.0, step / WARM_STEPS)
        self.learner.optimizer.step()
        self.learner.optimizer.zero_grad()
        self.watch.step(Step(epoch, step, steps, tuple(drawn), loss, running.seconds_left(steps)))
        is_last = step == epoch * self.epoch_steps  # what follows decides whether to go on, and is kept with it
        if self.keeper and not is_last and self.keeper.is_due(is_epoch_over=False):
            self.keeper.keep(self.learner, running.reached())

    def _gradients(self, drawn: Sequence[int]) -> tuple[float, float]:
        """The loss on rows drawn, in nats a token, and the norm of all gradients before they are clipped."""
        # A row that was drawn twice is run once and counts twice.
        counts = Counter(self.data.rows[place] for place in drawn)
        shares = {row: count / len(drawn) for row, count in counts.items()}
        loss = self.spread.sum(_descend(self.model, shares, self.data, self.watch, self.spread))
        if self.plan.preference_weight:
            pairs = _pairs(drawn, self.data, self.plan.preference_weight)
            _prefer(self.model, pairs, self.data, self.watch, self.spread)
        replayed = _replayed(self.data, self.plan, self.learner.chance)
        for part in _in_batches(replayed, self.data, self.watch):
            own, weighs = self.spread.own(part)
            share = self.plan.replay_weight * len(part) / len(replayed) * (weighs * _tokens(own) / _tokens(part))
            torch.autograd.backward(share * drift(self.model, collate(own, self.data.padding)))
        parameters = list(self.learner.parameters.values())
        self.spread.add_up([parameter.grad for parameter in parameters if parameter.grad is not None])
        return loss, float(nn.utils.clip_grad_norm_(parameters, CLIP))

    def _why_stop(self, now: Score, running: _Running, epoch: int) -> str:
        """Why an epoch was the last; empty where another is worth while.

        Replay draws the base's other answers back: corrections that are learnt too early wait for them.
        """
        is_over = f"{self.most_epochs} epochs are over" if epoch >= self.most_epochs else ""
        is_learnt = not self.data.corrections or (now.least >= SURE and self._is_near())  # then each is exact, too
        if is_learnt and self.data.has_enough_held_out:
            return self._why_held_out(running) or is_over
        if is_learnt and self.data.corrections:
            return "every correction is learnt"
        running.aims.sees(now.loss)
        return f"no gain in {PATIENCE_EPOCHS} epochs" if running.aims.waited >= PATIENCE_EPOCHS else is_over

    def _why_held_out(self, running: _Running) -> str:
        """Learnt is learnt: go on only while that helps with what is held out, and go back to where it helped most."""
        now = score(self.model, self.data.held_out, self.data.padding, self.data.batch_tokens, self.spread)
        if running.held_out.sees(now.loss):
            self.learner.remember()
        has_ended = running.held_out.waited >= HELD_OUT_PATIENCE_EPOCHS
        return "the loss on held-out answers falls no more" if has_ended else ""

    def _is_near(self) -> bool:
        data = self.data
        if not data.general:
            return True
        drifted = moved(self.model, data.general, data.padding, data.batch_tokens, self.spread)
        return drifted.value <= self.plan.most_drift


def _replayed(data: Data, plan: Plan, chance: torch.Generator) -> list[Row]:
    """As many of the base's own answers as the plan wants, each as likely as the others."""
    count = min(plan.replay_rows, len(data.replay))
    return [data.replay[place] for place in torch.randperm(len(data.replay), generator=chance)[:count].tolist()]


def _descend(model: PeftModel, shares: Mapping[Row, float], data: Data, watch: Watch, spread: Spread) -> float:
    """Add the gradient of a sum over this process's rows, each with its share, of their mean nats a token; that sum."""
    total = 0.0
    for part in _in_batches(list(shares), data, watch):
        own, weighs = spread.own(part)
        losses = tell(model, collate(own, data.padding)).row_losses(len(own))
        loss = losses @ losses.new_tensor([weighs * shares[row] for row in own])
        torch.autograd.backward(loss)
        total += float(loss.detach())
    return total


def _tokens(rows: Sequence[Row]) -> int:
    """Of all rows together."""
    return sum(len(row.tokens) for row in rows)


def _pairs(drawn: Sequence[int], data: Data, weight: float) -> dict[Pair, float]:
    """What was drawn and has a rejected answer, with its share of the weight."""
    counts = Counter((data.rows[place], data.rejected[place]) for place in drawn)
    return {(row, other): weight * count / len(drawn) for (row, other), count in counts.items() if other is not None}


def _prefer(model: PeftModel, shares: Mapping[Pair, float], data: Data, watch: Watch, spread: Spread) -> None:
    """Add the gradient of a sum over pairs, each with its share, of their preference, for this process's rows."""
    pulled = pulls(model, shares, data.padding, data.batch_tokens, spread) if shares else {}
    for part in _in_batches(list(pulled), data, watch):
        own, weighs = spread.own(part)
        likely = log_probabilities(model, own, data.padding)
        torch.autograd.backward(-likely @ likely.new_tensor([weighs * pulled[row] for row in own]))


def _in_batches(rows: Sequence[Row], data: Data, watch: Watch) -> Iterator[list[Row]]:
    """As many rows at a time as fit; the watch may let it all stand still before each."""
    for part in in_batches(rows, data.batch_tokens):
        watch.breathe()
        yield part
