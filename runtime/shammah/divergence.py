"""How far a local answer is from the teacher's: 0 says the same, 1 has nothing in common."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shammah import code_comparison
from shammah.errors import ShammahError

Embed = Callable[[str], NDArray[np.float32]]

Wish = Literal["auto", "semantic", "bleu", "exact", "judge"]
"""How a user wants answers compared; "auto" takes the best that costs nothing."""

# Of both answers, from which on the same code makes them the same.
CODE_SHARE = 0.5


class Method(StrEnum):
    """How a divergence was measured."""

    SEMANTIC = "semantic"
    BLEU = "bleu"
    EXACT = "exact"
    SYNTAX = "syntax"
    JUDGE = "judge"


# Above the threshold an answer counts as worse than the teacher's.
THRESHOLDS = {Method.SEMANTIC: 0.3, Method.BLEU: 0.4, Method.EXACT: 0.0, Method.SYNTAX: 0.0, Method.JUDGE: 0.0}
# What a label by this method weighs against a user's own rating.
LABEL_WEIGHTS = {Method.SEMANTIC: 0.5, Method.BLEU: 0.1, Method.EXACT: 0.5, Method.SYNTAX: 0.5, Method.JUDGE: 1.0}


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


def measure(local: str, teacher: str, embed: Embed | None, wish: Wish = "auto") -> Divergence:
    """Compare two answers: equal texts and equal code first, then by meaning, by words where there is no embedder.

    A judge costs money and is asked elsewhere; where it cannot be, "judge" compares as "auto" does.

    Raises:
        ShammahError: The meaning is wanted, and there is no embedder.
    """
    if (same := equality(local, teacher)) is not None:
        return same
    match wish:
        case "exact":
            return Divergence(1.0, Method.EXACT)
        case "bleu":
            return _by_words(local, teacher)
        case "semantic" if embed is None:
            raise ShammahError(
                "answers are to be compared by meaning, and there is no embedder yet",
                hint='With divergence.method = "auto" words are compared meanwhile.',
            )
    return _by_words(local, teacher) if embed is None else _by_meaning(local, teacher, embed)


def equality(local: str, teacher: str) -> Divergence | None:
    """No divergence, where both answers are the same text but for blanks, or the same code; None elsewhere."""
    if local.split() == teacher.split():
        return Divergence(0.0, Method.EXACT)
    is_code = max(_prose_share(local), _prose_share(teacher)) <= 1 - CODE_SHARE
    if is_code and code_comparison.is_same(local, teacher):
        return Divergence(0.0, Method.SYNTAX)
    return None


def _prose_share(text: str) -> float:
    """The share of an answer's characters outside of its code; 0 where it has no fence and may be code as a whole."""
    prose = code_comparison.prose(text)
    return 0.0 if prose == text.strip() else len(prose) / max(1, len(text))


def _by_meaning(local: str, teacher: str, embed: Embed) -> Divergence:
    cosine = float(embed(local) @ embed(teacher))
    return Divergence(min(1.0, max(0.0, 1 - cosine)), Method.SEMANTIC)


def _by_words(local: str, teacher: str) -> Divergence:
    return Divergence(max(0.0, 1 - _bleu(local, teacher)), Method.BLEU)


def _bleu(local: str, teacher: str) -> float:
    """Sentence BLEU, 0 to 1 and a rounding error more, with the teacher's answer as the reference."""
    import sacrebleu  # the worker alone gets here; 80 ms

    return float(sacrebleu.sentence_bleu(local, [teacher]).score) / 100
