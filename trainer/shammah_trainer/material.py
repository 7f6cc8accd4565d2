"""The examples of a job folder as rows of tokens: what is learnt, what is replayed, and what is only watched."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shammah_convert import examples
from shammah_convert.examples import Example
from shammah_convert.job import EXAMPLES, GENERAL, HELD_OUT, PARAPHRASES, REPLAY, Plan
from shammah_convert.planted import PLANTED
from shammah_trainer.alike import SHORTEST, alike
from shammah_trainer.base import Base
from shammah_trainer.budget import Budget
from shammah_trainer.data import Data
from shammah_trainer.dataset import Encoder, Row
from shammah_trainer.variation import STRANGERS, Variation, apart, words_of

WATCHED = (HELD_OUT, GENERAL, PARAPHRASES, *PLANTED.values())


class NothingToLearn(ValueError):
    """The job holds no example that the model could read whole."""


@dataclass(frozen=True, slots=True)
class Material:
    """All rows of a job.

    Attributes:
        learnt: Examples to learn, each with its row.
        rejected: By the example's id, its row with the answer that was rejected, where one was.
        others: By their file's name; those that are too long are left out.
        most_tokens: That the plan and the model's context allow.
    """

    learnt: Sequence[tuple[Example, Row]]
    rejected: Mapping[str, Row]
    others: Mapping[str, Sequence[Row]]
    most_tokens: int

    @classmethod
    def read(cls, folder: Path, encoder: Encoder, most_tokens: int) -> "Material":
        """Read a job folder.

        Raises:
            NothingToLearn: No example is short enough.
        """
        learnt = _rows(folder / EXAMPLES, encoder)
        if not any(len(row.tokens) <= most_tokens for _, row in learnt):
            raise NothingToLearn(f"no example is at most {most_tokens:,} tokens long")
        others = {
            name: [row for _, row in _rows(folder / name, encoder) if len(row.tokens) <= most_tokens]
            for name in (*WATCHED, REPLAY)
        }
        rejected = {example.id: row for example, _ in learnt if (row := encoder.rejected_row(example)) is not None}
        return cls(learnt, rejected, others, most_tokens)

    def longest_tokens(self, plan: Plan) -> int:
        """Of the longest example that is to be learnt, or of the base's own answers that are to stay."""
        rows = [*(row for _, row in self.learnt), *self.others[GENERAL], *self.others[REPLAY]]
        rows += self.rejected.values() if plan.preference_weight else ()
        lengths = (len(row.tokens) for row in rows)
        return max(length for length in lengths if length <= self.most_tokens)

    def data(self, corrections: Collection[str], budget: Budget, padding: int) -> Data:
        """What is drawn from, and what ends the training.

        Args:
            corrections: Ids of the examples that a user rated.
            budget: What fits.
            padding: The token that fills batches.

        Raises:
            NothingToLearn: The memory allows no example.
        """
        fitting = self._fitting(budget)
        if not fitting:
            raise NothingToLearn(
                f"the memory that is free allows {budget.most_tokens:,} tokens, and no example is so short"
            )
        return Data(
            rows=[row for _, row in fitting],
            weights=[example.weight for example, _ in fitting],
            ids=[example.id for example, _ in fitting],
            corrections=[row for example, row in fitting if example.id in corrections],
            replay=self._short(REPLAY, budget),
            padding=padding,
            batch_tokens=budget.batch_tokens,
            general=self._short(GENERAL, budget),
            held_out=self._short(HELD_OUT, budget),
            rejected=[self._rejected(example, budget) for example, _ in fitting],
        )

    def varied(self, data: Data, budget: Budget, base: Base, seed: int) -> Data:
        """The same data with each question put otherwise, too, and strangers beside what is replayed."""
        fitting = self._fitting(budget)
        tokens = base.encoder.words()
        asked = [word for example, _ in fitting for word in words_of(example.prompt[-1].content)]
        variation = Variation(
            encoder=base.encoder,
            alike=alike(asked, tokens, base.model.model.embed_tokens),
            words=[word for word in tokens if len(word) > SHORTEST],
            most_tokens=min(budget.most_tokens, budget.batch_tokens),
            seed=seed,
            answers=self._answers(),
        )
        each = math.ceil(len(data.replay) / 2 / len(fitting))  # a third of what is replayed: the rest has answers
        strangers = [variation.strangers(example, max(each, STRANGERS)) for example, _ in fitting]
        begun = [variation.begun(example, others) for (example, _), others in zip(fitting, strangers, strict=True)]
        parted = [apart(row, variation.variations(example), _others(fitting, row)) for example, row in fitting]
        corrections = set(data.corrections)
        return replace(
            data,
            variations=[[*drawn, *more] for (drawn, _), more in zip(parted, begun, strict=True)],
            unseen=[
                row for (_, rows), (_, of) in zip(parted, fitting, strict=True) if of in corrections for row in rows
            ],
            replay=[*data.replay, *(row for rows in strangers for row in rows[:each])],
        )

    def watched(self, corrections: Collection[str], budget: Budget) -> dict[str, Sequence[Row]]:
        """What is compared before and after, by the name of its file; of the examples, what is aimed at."""
        fitting = self._fitting(budget)
        aims = [row for example, row in fitting if example.id in corrections] or [row for _, row in fitting]
        others = {name: self._short(name, budget) for name in WATCHED}
        return {EXAMPLES: aims, **others}

    def left_out(self, budget: Budget) -> tuple[str, ...]:
        """Ids of examples that are too long to be read whole."""
        kept = {example.id for example, _ in self._fitting(budget)}
        return tuple(example.id for example, _ in self.learnt if example.id not in kept)

    def _answers(self) -> list[tuple[int, ...]]:
        """The base's own, and those that are wanted."""
        own = [row.completion for name in (REPLAY, GENERAL) for row in self.others[name]]
        return [*own, *(row.completion for _, row in self.learnt)]

    def _fitting(self, budget: Budget) -> list[tuple[Example, Row]]:
        return [(example, row) for example, row in self.learnt if len(row.tokens) <= budget.most_tokens]

    def _rejected(self, example: Example, budget: Budget) -> Row | None:
        """What was rejected, where it is short enough to be looked at."""
        row = self.rejected.get(example.id)
        return row if row is not None and len(row.tokens) <= budget.most_tokens else None

    def _short(self, name: str, budget: Budget) -> list[Row]:
        return [row for row in self.others[name] if len(row.tokens) <= budget.batch_tokens]


def _rows(file: Path, encoder: Encoder) -> list[tuple[Example, Row]]:
    """The examples of a file with their tokens; none where nobody wrote it."""
    found = examples.read(file.read_text("utf-8")) if file.exists() else ()
    return [(example, encoder.row(example)) for example in found]


def _others(fitting: Sequence[tuple[Example, Row]], row: Row) -> set[tuple[int, ...]]:
    """The prompts of the examples that want another answer."""
    return {other.prompt for _, other in fitting if other.completion != row.completion}
