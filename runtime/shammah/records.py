"""What the journal keeps, as frozen records."""

from dataclasses import dataclass
from typing import Any

from shammah.features import Vector
from shammah_convert.chat import Message


@dataclass(frozen=True, slots=True)
class Question:
    """A question as the journal keeps it: redacted, with all that was said before it.

    Attributes:
        context: The whole prompt, this question last.
        lineage: sha256 of the base model that it counts for.
    """

    number: int
    id: str
    created: str
    session: str
    lineage: str
    text: str
    context: tuple[Message, ...]
    may_go_online: bool
    is_counted: bool
    redactions: int
    features: Vector | None
    embedding: Vector | None
    feature_version: int | None
    router_probability: float | None
    propensity: float | None
    is_sampled: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """One side's answer to a question, redacted."""

    id: int
    question: int
    created: str
    side: str
    is_shown: bool
    text: str
    reason: str
    finish: str
    model: str
    adapters: tuple[tuple[str, float], ...]
    is_verified: bool
    validator_probability: float | None
    features: Vector | None
    feature_version: int | None
    prompt_tokens: int
    completion_tokens: int
    seconds: dict[str, float]
    cost_usd: float | None
    divergence: float | None
    method: str | None


@dataclass(frozen=True, slots=True)
class NewAnswer:
    """An answer before the journal has it."""

    side: str
    is_shown: bool
    text: str
    reason: str
    finish: str
    model: str
    adapters: tuple[tuple[str, float], ...]
    is_verified: bool
    prompt_tokens: int
    completion_tokens: int
    seconds: dict[str, float]
    validator_probability: float | None = None
    features: Vector | None = None
    feature_version: int | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Lesson:
    """One labelled outcome, with what was seen."""

    id: int
    question: Question
    answer: Answer | None
    is_good: bool
    weight: float


@dataclass(frozen=True, slots=True)
class Job:
    """Work for the background."""

    id: int
    kind: str
    payload: dict[str, Any]
    attempts: int


@dataclass(frozen=True, slots=True)
class Base:
    """A model file, as it was when its hash was taken."""

    sha256: str
    path: str
    size: int
    mtime_ns: int
    inode: int
    name: str
    architecture: str
