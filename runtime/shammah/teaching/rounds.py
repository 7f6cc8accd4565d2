"""When teaching goes on, when it stops, and when a round is taken back. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shammah.records.adapters import Training

PATIENCE_ROUNDS = 2
"""Without a gain; then teaching stops."""

Effect = Literal["better", "same", "worse"]


@dataclass(frozen=True, slots=True)
class Round:
    """A round of teaching, as it ended.

    Attributes:
        examples: That were new to the training.
        tests: Questions that were asked before and after, the same ones.
        before: How many of them were answered right.
        training: The last one; None where none was begun.
    """

    number: int
    examples: int
    tests: int
    before: int
    after: int
    training: Training | None
    effect: Effect
    spent_usd: float


def effect(before: int, after: int) -> Effect:
    """What a round did to the same test questions."""
    return "better" if after > before else "worse" if after < before else "same"


def why_stop(done: Sequence[Round], most: int) -> str:
    """Why no further round is to begin; empty where one is."""
    if len(done) >= most:
        return f"{most} round{'s are' if most > 1 else ' is'} over"
    last = done[-PATIENCE_ROUNDS:]
    if len(last) == PATIENCE_ROUNDS and all(each.effect != "better" for each in last):
        return f"nothing improved in {PATIENCE_ROUNDS} rounds"
    return ""
