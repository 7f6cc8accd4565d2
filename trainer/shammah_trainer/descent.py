"""The gradients of one step: of what was drawn, of what is preferred, and of what is to stay as it is."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from peft import PeftModel

from shammah_convert.job import Plan
from shammah_trainer.data import Data
from shammah_trainer.dataset import Row, collate, of_like_length
from shammah_trainer.losses import drift, tell
from shammah_trainer.preference import Pair, log_probabilities, pulls
from shammah_trainer.spread import Spread

PADDING_TOKENS = 128
"""What another batch costs a processor, about, in tokens; a GPU takes as many tokens as fit in nearly the same time."""


class Breath(Protocol):
    """May let it all stand still."""

    def breathe(self) -> None:
        """Between two batches, where little is held: it may stand still here.

        Raises:
            Cancelled: No other is wanted.
        """
        ...


@dataclass(frozen=True, slots=True)
class Descent:
    """Adds up gradients, with all processes that there are; each has its share of every batch."""

    model: PeftModel
    data: Data
    plan: Plan
    watch: Breath
    spread: Spread

    def gradients(self, drawn: Sequence[int], chance: torch.Generator) -> float:
        """Add the gradients of a step to this process's parameters.

        Args:
            drawn: Places of the examples that are learnt.
            chance: Which of their variations, and which of the base's own answers are replayed.

        Returns:
            The loss on what was drawn, in nats a token, over all processes.
        """
        # A row that was drawn twice is run once and counts twice.
        counts = Counter(self.data.drawn(place, chance) for place in drawn)
        loss = self._learn({row: count / len(drawn) for row, count in counts.items()})
        if self.plan.preference_weight:
            self._prefer(self._pairs(drawn))
        self._keep(self._replayed(chance))
        return self.spread.sum(loss)

    def _learn(self, shares: Mapping[Row, float]) -> float:
        """A sum over this process's rows, each with its share, of their mean nats a token."""
        total = 0.0
        for part in self._in_batches(list(shares)):
            own, weighs = self.spread.own(part)
            losses = tell(self.model, collate(own, self.data.padding)).row_losses(len(own))
            loss = losses @ losses.new_tensor([weighs * shares[row] for row in own])
            torch.autograd.backward(loss)
            total += float(loss.detach())
        return total

    def _pairs(self, drawn: Sequence[int]) -> dict[Pair, float]:
        """What was drawn and has a rejected answer, with its share of the weight."""
        counts = Counter((self.data.rows[place], self.data.rejected[place]) for place in drawn)
        weight = self.plan.preference_weight / len(drawn)
        return {(row, other): weight * count for (row, other), count in counts.items() if other is not None}

    def _prefer(self, shares: Mapping[Pair, float]) -> None:
        """A sum over pairs, each with its share, of their preference."""
        data = self.data
        pulled = pulls(self.model, shares, data.padding, data.batch_tokens, self.spread) if shares else {}
        for part in self._in_batches(list(pulled)):
            own, weighs = self.spread.own(part)
            likely = log_probabilities(self.model, own, data.padding)
            torch.autograd.backward(-likely @ likely.new_tensor([weighs * pulled[row] for row in own]))

    def _replayed(self, chance: torch.Generator) -> list[Row]:
        """As many of the base's own answers as the plan wants, each as likely as the others."""
        replay = self.data.replay
        count = min(self.plan.replay_rows, len(replay))
        return [replay[place] for place in torch.randperm(len(replay), generator=chance)[:count].tolist()]

    def _keep(self, replayed: Sequence[Row]) -> None:
        """The mean drift of all their tokens."""
        weight = self.plan.replay_weight / max(1, _tokens(replayed))
        for part in self._in_batches(replayed):
            own, weighs = self.spread.own(part)
            share = weight * weighs * _tokens(own)
            torch.autograd.backward(share * drift(self.model, collate(own, self.data.padding)))

    def _in_batches(self, rows: Sequence[Row]) -> Iterator[list[Row]]:
        """As many rows at a time as fit; the watch may let it all stand still before each."""
        is_on_cpu = self.model.device.type == "cpu"
        most_padding = PADDING_TOKENS if is_on_cpu else self.data.batch_tokens
        for part in of_like_length(rows, self.data.batch_tokens, most_padding):
            self.watch.breathe()
            yield part


def _tokens(rows: Sequence[Row]) -> int:
    """Of all rows together."""
    return sum(len(row.tokens) for row in rows)
