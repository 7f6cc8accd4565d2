"""The LoRA loop, read top to bottom: draw by weight, replay, step, and stop when it has learnt enough."""

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median
from typing import Protocol

from peft import PeftModel
from torch import nn

from shammah_convert.job import Plan, Score
from shammah_trainer.checkpoint import Learner, Reached
from shammah_trainer.data import Data
from shammah_trainer.dataset import draw
from shammah_trainer.descent import Descent
from shammah_trainer.evaluate import drift, score
from shammah_trainer.health import Broken, fault
from shammah_trainer.spread import ALONE, Spread
from shammah_trainer.stopping import (
    EPOCHS_WITHOUT_CORRECTIONS,
    HELD_OUT_PATIENCE_EPOCHS,
    PATIENCE_EPOCHS,
    SURE,
    UNDERSTOOD,
    Patience,
)

# AdamW's step is to shrink as matrices grow wider (muP): 1e-3 at 256, 1.7e-4 at 1536, 7e-5 at 3584.
RATE_BY_WIDTH = 0.256
LEAST_EPOCH_STEPS = 8
EPOCHS_ARE_FOR = 10
"""So many corrections are learnt in the most epochs of a plan; more of them get as many times as many, and patience."""
WARM_STEPS = 10
TIMED_STEPS, LONGEST_STEP = 64, 5.0
"""By so many steps is told how long others take; one that takes so many times the median has stood still."""
COOLER, COOLINGS = 0.3, 1
"""By so much the learning rate falls when the loss does no more, and how often."""
CLIP = 1.0


class Cancelled(RuntimeError):
    """Somebody asked the training to stop."""


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
        self.aims, self.cooled = Patience(reached.best, reached.waited), reached.cooled
        self.held_out = Patience(reached.best_held_out, reached.waited_held_out)
        self._ends = deque([time.monotonic()], maxlen=TIMED_STEPS + 1)

    def seconds_left(self, steps: int) -> float:
        """Until so many steps are made in all, at this process's speed of late; standing still is no speed."""
        self._ends.append(time.monotonic())
        took = [after - before for before, after in pairwise(self._ends)]
        most = LONGEST_STEP * median(took)
        return fmean(min(seconds, most) for seconds in took) * (steps - len(self.losses))

    def cool(self) -> None:
        """Lower the learning rate, and wait again."""
        self.cooled, self.aims.waited = self.cooled + 1, 0

    def reached(self) -> Reached:
        """What a checkpoint keeps of it."""
        return Reached(
            losses=tuple(self.losses),
            best=self.aims.best,
            waited=self.aims.waited,
            cooled=self.cooled,
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
    def tens(self) -> int:
        return max(1, math.ceil(len(self.data.corrections) / EPOCHS_ARE_FOR))

    @property
    def most_epochs(self) -> int:
        most = self.plan.most_epochs * self.tens
        knows_when = self.data.corrections or self.data.has_enough_held_out
        return most if knows_when else min(most, self.data.easy_epochs + EPOCHS_WITHOUT_CORRECTIONS)

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
            group["lr"] = group.setdefault("peak", group["lr"]) * min(1.0, step / WARM_STEPS) * COOLER**running.cooled
        self.learner.optimizer.step()
        self.learner.optimizer.zero_grad()
        self.watch.step(Step(epoch, step, steps, tuple(drawn), loss, running.seconds_left(steps)))
        is_last = step == epoch * self.epoch_steps  # what follows decides whether to go on, and is kept with it
        if self.keeper and not is_last and self.keeper.is_due(is_epoch_over=False):
            self.keeper.keep(self.learner, running.reached())

    def _gradients(self, drawn: Sequence[int]) -> tuple[float, float]:
        """The loss on what was drawn, in nats a token, and the norm of all gradients before they are clipped."""
        descent = Descent(self.model, self.data, self.plan, self.watch, self.spread)
        loss = descent.gradients(drawn, self.learner.chance)
        parameters = list(self.learner.parameters.values())
        self.spread.add_up([parameter.grad for parameter in parameters if parameter.grad is not None])
        return loss, float(nn.utils.clip_grad_norm_(parameters, CLIP))

    def _why_stop(self, now: Score, running: _Running, epoch: int) -> str:
        """Why an epoch was the last; empty where another is worth while.

        Replay draws the base's other answers back: corrections that are learnt too early wait for them.
        """
        is_over = f"{self.most_epochs} epochs are over" if epoch >= self.most_epochs else ""
        is_learnt = not self.data.corrections or (now.least >= SURE and self._is_understood() and self._is_near())
        if is_learnt and self.data.has_enough_held_out:
            return ("" if epoch <= self.data.easy_epochs else self._why_held_out(running)) or is_over
        if is_learnt and self.data.corrections:
            return "every correction is learnt"
        return self._why_aims(now.loss, running) or is_over

    def _why_aims(self, loss: float, running: _Running) -> str:
        """A loss that falls no more jumps about: smaller steps find what is below, before all is given up."""
        running.aims.sees(loss)
        patience = PATIENCE_EPOCHS * self.tens
        if running.aims.waited < patience:
            return ""
        if running.cooled == COOLINGS:
            return f"no gain in {patience} epochs"
        running.cool()
        return ""

    def _why_held_out(self, running: _Running) -> str:
        """Learnt is learnt: go on only while that helps with what is held out, and go back to where it helped most."""
        now = score(self.model, self.data.held_out, self.data.padding, self.data.batch_tokens, self.spread)
        if running.held_out.sees(now.loss):
            self.learner.remember()
        has_ended = running.held_out.waited >= HELD_OUT_PATIENCE_EPOCHS
        return "the loss on held-out answers falls no more" if has_ended else ""

    def _is_understood(self) -> bool:
        """Whether questions that were not learnt, and are like those that were, are answered so too."""
        data = self.data
        if not data.unseen:
            return True
        found = score(self.model, data.unseen, data.padding, data.batch_tokens, self.spread)
        return found.exact >= UNDERSTOOD * found.rows

    def _is_near(self) -> bool:
        data = self.data
        if not data.general:
            return True
        drifted = drift(self.model, data.general, data.padding, data.batch_tokens, self.spread)
        return drifted.value <= self.plan.most_drift
