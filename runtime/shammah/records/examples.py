"""Ratings, and the examples that the generator learns from."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from shammah.features import Vector
from shammah.records.questions import Answer, Question
from shammah_convert.chat import Message
from shammah_convert.examples import Example, Source


class Rating(StrEnum):
    """What a user says of an answer."""

    CRITICAL = "critical"
    MEDIUM = "medium"
    GOOD = "good"

    @property
    def weight(self) -> float:
        """How often an example of it is drawn in training, beside others."""
        return {Rating.CRITICAL: 10.0, Rating.MEDIUM: 3.0, Rating.GOOD: 1.0}[self]

    @property
    def is_rejection(self) -> bool:
        """Whether the answer is never to be a training target."""
        return self is not Rating.GOOD


State = Literal["live", "pending", "waiting", "test", "dropped"]
"""Of an example: learnt from; without a target yet; came from outside, and not accepted yet; asked, and never learnt;
taken out by the user."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """A question that an adapter has learnt to answer, whether it was ever asked here or was taught.

    Attributes:
        example: The example's id.
        text: The last question of its prompt.
        embedding: Of that question alone, float32 (384,); None before somebody needed it.
    """

    example: str
    text: str
    embedding: Vector | None


@dataclass(frozen=True, slots=True)
class NewExample:
    """A training target before the journal has it.

    Attributes:
        answer: The id of the answer that it stands in for, or confirms.
        completion: None while the target is still to be found.
        rejected: What the user refused.
    """

    answer: int
    prompt: tuple[Message, ...]
    completion: str | None
    source: Source
    weight: float = 1.0
    rejected: str | None = None


@dataclass(frozen=True, slots=True)
class NewRating:
    """What a user says of an answer, with all that follows from it.

    Attributes:
        example: Replaces whatever targeted the answer.
        lesson_on: The local answer that it teaches router and validator about, None where it says nothing of one.
        is_good: What it teaches them.
        wants_target: The background is to find the example's completion.
        may_ask_teacher: The teacher may be asked for it.
    """

    answer: int
    rating: Rating
    note: str
    example: NewExample
    lesson_on: int | None
    is_good: bool
    wants_target: bool
    may_ask_teacher: bool


@dataclass(frozen=True, slots=True)
class KeptExample:
    """An example as the journal keeps it.

    Attributes:
        example: Without a completion while the target is still to be found.
        rating: The id of the rating that it comes from; None for a teacher's plain answer.
    """

    example: Example
    state: State
    rating: int | None


@dataclass(frozen=True, slots=True)
class Correction:
    """A rejected answer whose better one is still to be found."""

    id: int
    created: str
    rating: Rating
    note: str
    question: Question
    rejected: Answer
