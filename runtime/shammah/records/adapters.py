"""Adapters, the trainings that make them, and the watch over them."""

from dataclasses import dataclass
from typing import Literal

from shammah.features import Vector
from shammah.generation import ActiveSet


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter whose file was checked.

    Attributes:
        base: sha256 of the base that it was made for.
        path: Of its file; what is loaded from there has this sha256, or is not loaded.
        parent: What was active when it was trained.
        scores: What its evaluation measured.
        training: The training that made it; None for one that came from outside.
    """

    name: str
    base: str
    path: str
    sha256: str
    parent: str | None
    scores: dict[str, float]
    created: str
    training: int | None


@dataclass(frozen=True, slots=True)
class Domain:
    """What an adapter is for.

    Attributes:
        adapter: Its name.
        centroid: The mean direction of the questions' embeddings, of unit length.
        reach: From this cosine on a question belongs to it.
        questions: So many it was made of.
    """

    adapter: str
    centroid: Vector
    reach: float
    questions: int
    created: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many local answers were judged, and how many of those were bad."""

    bad: int = 0
    judged: int = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """How local answers turned out before a promotion and since, by one kind of judgement."""

    before: Counts
    after: Counts


@dataclass(frozen=True, slots=True)
class Watched:
    """A promotion that holds, and what would come back in its place.

    Attributes:
        number: Of its activation.
        last_answer: The id of the last answer before it.
        active: What it made active.
        before: What a rollback would make active.
    """

    number: int
    base: str
    last_answer: int
    active: ActiveSet
    before: ActiveSet


TrainingState = Literal["queued", "running", "evaluated", "promoted", "refused", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Training:
    """An attempt to make an adapter.

    Attributes:
        base: sha256 of the base that is trained.
        is_automatic: Nobody asked for it; the number of new examples did.
        is_forced: The gate is told, not obeyed.
        most_memory_bytes: That was asked for; 0 leaves it to the settings.
        adapter: The name of what it made, once that is active.
        reason: Why there is none.
    """

    number: int
    created: str
    finished: str | None
    base: str
    state: TrainingState
    is_automatic: bool
    is_forced: bool
    adapter: str | None
    reason: str
    most_memory_bytes: int = 0

    @property
    def topic(self) -> str:
        """What is said of it as it is now, which is said once."""
        return f"training {self.number} {self.state}"
