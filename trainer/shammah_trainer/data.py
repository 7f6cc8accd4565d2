"""What a training draws from, and what it watches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import torch

from shammah_trainer import curriculum
from shammah_trainer.dataset import BATCH_TOKENS, Row
from shammah_trainer.stopping import LEAST_HELD_OUT


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
        variations: Of each row, the same example put otherwise, of which one is drawn; without them the row itself is.
        unseen: Variations of corrections that are never drawn: most are to be exact before the training ends.
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
    variations: Sequence[Sequence[Row]] = ()
    unseen: Sequence[Row] = ()
    difficulties: Sequence[float] = ()

    @property
    def aims(self) -> Sequence[Row]:
        """The rows whose learning ends the training."""
        return self.corrections or self.rows

    @property
    def all_rows(self) -> Iterator[Row]:
        """Every row that the training's course depends on, in order."""
        varied = (row for rows in self.variations for row in rows)
        rejected = (row for row in self.rejected if row is not None)
        return chain(self.rows, self.replay, self.held_out, self.unseen, varied, rejected)

    @property
    def has_enough_held_out(self) -> bool:
        """Whether the teacher's held-out answers can tell when to stop."""
        return len(self.held_out) >= LEAST_HELD_OUT

    @property
    def easy_epochs(self) -> int:
        """Epochs that draw from a part of the examples alone."""
        return curriculum.STAGES - 1 if self.difficulties else 0

    def drawn(self, place: int, chance: torch.Generator) -> Row:
        """What is learnt where an example was drawn."""
        if not self.variations:
            return self.rows[place]
        variations = self.variations[place]
        return variations[int(torch.randint(len(variations), (), generator=chance))]

    def weights_in(self, epoch: int) -> Sequence[float]:
        """The weights that an epoch draws by."""
        return curriculum.weights(self.weights, self.difficulties, epoch) if self.difficulties else self.weights
