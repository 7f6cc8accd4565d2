"""Questions and their answers."""

from dataclasses import dataclass

from shammah.features import Vector
from shammah.generation import ActiveSet
from shammah_convert.chat import Message


@dataclass(frozen=True, slots=True)
class Question:
    """A question as the journal keeps it: redacted, with all that was said before it.

    Attributes:
        context: The whole prompt, this question last.
        lineage: sha256 of the base model that it counts for.
        router_threshold: That applied; None where everything was forwarded, or no router was asked.
        learner: What kind of head gave the router's probability; None where none did, or a row is older than this.
        failure: Why the teacher gave no answer, redacted; None where it gave one, or was not asked.
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
    router_threshold: float | None
    validator_threshold: float | None
    learner: str | None
    failure: str | None = None


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
    adapters: ActiveSet
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
    adapters: ActiveSet
    is_verified: bool
    prompt_tokens: int
    completion_tokens: int
    seconds: dict[str, float]
    validator_probability: float | None = None
    features: Vector | None = None
    feature_version: int | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the judge said of a local answer and the teacher's, from 1 to 5.

    Attributes:
        local: The id of the local answer.
        teacher: The id of the teacher's.
        seed: Decided which answer the judge saw first.
    """

    local: int
    teacher: int
    seed: int
    local_is_first: bool
    local_grade: int
    teacher_grade: int
    reason: str
    model: str
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A past question with its embedding.

    Attributes:
        is_good: Whether its local answer did as well as the teacher's; None where nobody compared.
    """

    id: str
    text: str
    embedding: Vector
    is_good: bool | None
