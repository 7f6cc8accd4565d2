"""A long life of real questions in which the local model gets better at times.

The data knows no promotions, so they are modelled: with each, a part of the subjects (no subject twice) gets the
outcomes of the better model in the data wherever its own was wrong, and that model's answer where it is recorded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench import outcomes
from bench.outcomes import Drafted

SEED = 1000


@dataclass(frozen=True, slots=True)
class Life:
    """Questions in their order, each with what the local model of its time makes of it.

    Attributes:
        promotions: Numbers of the questions before which an adapter was promoted.
    """

    questions: tuple[Drafted, ...]
    promotions: tuple[int, ...]

    def applied(self, number: int) -> int:
        """How many promotions came before a question."""
        return sum(at <= number for at in self.promotions)

    def since_swap(self, number: int) -> int | None:
        """Questions since the last promotion, with this one; None before the first, as the runtime has it."""
        last = max((at for at in self.promotions if at <= number), default=None)
        return None if last is None else number - last + 1


def life(folder: Path, count: int, promotions: int, improved: float, seed: int) -> Life:
    """A shuffled life from a folder of outcomes: questions whose local answers are recorded first, then others.

    Args:
        folder: What `outcomes` reads.
        count: Questions at most.
        promotions: How often the local model gets better, evenly spread.
        improved: The part of the subjects that each promotion improves.
        seed: Of the shuffle, and of the subjects.
    """
    chance = np.random.default_rng(SEED + seed)
    known = [one for name in outcomes.questions(folder) for one in outcomes.drafted(folder, name)]
    order = sorted(chance.permutation(len(known)).tolist(), key=lambda n: known[n].answer is None)[:count]
    stream = [known[n] for n in chance.permutation(order)]
    return promoted(stream, promotions, improved, chance)


def promoted(stream: Sequence[Drafted], promotions: int, improved: float, chance: np.random.Generator) -> Life:
    """A stream with promotions in it."""
    subjects = sorted({one.outcome.subject for one in stream})
    drawn = [subjects[n] for n in chance.permutation(len(subjects))]
    size = max(1, round(len(drawn) * improved))
    better = [frozenset(drawn[: size * (n + 1)]) for n in range(promotions)]
    starts = tuple(len(stream) * (n + 1) // (promotions + 1) for n in range(promotions))
    before = Life((), starts)
    lived = [
        _improved(one) if (k := before.applied(n)) and one.outcome.subject in better[k - 1] else one
        for n, one in enumerate(stream)
    ]
    return replace(before, questions=tuple(lived))


def _improved(one: Drafted) -> Drafted:
    """The same question, answered by the better model where the local one was wrong and that one right."""
    if one.outcome.local or not one.outcome.teacher:
        return one
    return replace(one, outcome=replace(one.outcome, local=True), answer=one.teacher_answer or one.answer)
