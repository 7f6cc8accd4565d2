"""Two heads in the place of the router's one: tried, and not taken into the runtime (docs/lab-notes.md)."""

from dataclasses import dataclass

from shammah.features import Features
from shammah.heads import Head
from shammah.learners import Kind


@dataclass(slots=True)
class Pair:
    """A head for each side: where both are known, their difference routes better than one head of "not worse"."""

    local: Head
    teacher: Head

    @classmethod
    def fresh(cls, kind: Kind, hand_width: int) -> "Pair":
        """Two heads that know nothing."""
        return cls(Head.fresh(kind, hand_width), Head.fresh(kind, hand_width))

    def gain(self, seen: Features) -> float:
        """P(the teacher is right) - P(the local model is right)."""
        return self.teacher.probability(seen) - self.local.probability(seen)
