"""How far a local answer is from the teacher's: 0 says the same, 1 has nothing in common."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Embed = Callable[[str], NDArray[np.float32]]


class Method(StrEnum):
    """How a divergence was measured."""

    SEMANTIC = "semantic"
    BLEU = "bleu"
    EXACT = "exact"


# Above the threshold an answer counts as worse than the teacher's.
THRESHOLDS = {Method.SEMANTIC: 0.3, Method.BLEU: 0.4, Method.EXACT: 0.0}
# What a label by this method weighs against a user's own rating.
LABEL_WEIGHTS = {Method.SEMANTIC: 0.5, Method.BLEU: 0.1, Method.EXACT: 0.5}


@dataclass(frozen=True, slots=True)
class Divergence:
    """A measured distance in [0, 1]."""

    value: float
    method: Method

    @property
    def is_small(self) -> bool:
        """Whether the local answer will do as well as the teacher's."""
        return self.value <= THRESHOLDS[self.method]

    @property
    def label_weight(self) -> float:
        """The weight of a lesson drawn from it."""
        return LABEL_WEIGHTS[self.method]


def measure(local: str, teacher: str, embed: Embed | None) -> Divergence:
    """Compare two answers: equal texts first, then by meaning, by words where there is no embedder."""
    if local.split() == teacher.split():
        return Divergence(0.0, Method.EXACT)
    if embed is not None:
        cosine = float(embed(local) @ embed(teacher))
        return Divergence(min(1.0, max(0.0, 1 - cosine)), Method.SEMANTIC)
    return Divergence(max(0.0, 1 - _bleu(local, teacher)), Method.BLEU)


def _bleu(local: str, teacher: str) -> float:
    """Sentence BLEU, 0 to 1 and a rounding error more, with the teacher's answer as the reference."""
    import sacrebleu  # the worker alone gets here; 80 ms

    return float(sacrebleu.sentence_bleu(local, [teacher]).score) / 100
