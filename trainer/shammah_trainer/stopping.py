"""When a training has learnt enough: its aims are reached, or a loss falls no more."""

import math

PATIENCE_EPOCHS = 5
LEAST_GAIN = 0.01
SURE = 0.8
"""The least probability of any target token at which a correction counts as learnt: well clear of being outvoted."""
UNDERSTOOD = 0.7
"""The least share of corrections that are exact when their questions are put otherwise."""
EPOCHS_WITHOUT_CORRECTIONS = 3
LEAST_HELD_OUT = 20
"""Fewer of the teacher's held-out answers say too little to stop by."""
HELD_OUT_PATIENCE_EPOCHS = 2


class Patience:
    """Counts the epochs since a loss last fell by a hundredth."""

    def __init__(self, best: float = math.inf, waited: int = 0) -> None:
        self.best, self.waited = best, waited

    def sees(self, loss: float) -> bool:
        """Whether it has fallen."""
        has_fallen = loss < self.best * (1 - LEAST_GAIN)
        self.waited = 0 if has_fallen else self.waited + 1
        self.best = min(self.best, loss)
        return has_fallen
