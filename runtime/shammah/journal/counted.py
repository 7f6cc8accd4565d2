"""What statistics are counted from, as frozen records."""

from dataclasses import dataclass
from datetime import date, datetime

from shammah.generation import ActiveSet


@dataclass(frozen=True, slots=True)
class Scope:
    """Which questions are counted.

    Attributes:
        since: From this day or moment on, by the local clock; None from the first question on.
        base: sha256 of the one base model that is meant; None for all.
    """

    since: date | datetime | None = None
    base: str | None = None

    @property
    def first_day(self) -> str:
        """The day from which it is counted; empty where it has no bound."""
        return "" if self.since is None else self.since.isoformat()[: len("2026-11-20")]


@dataclass(frozen=True, slots=True)
class BaseCount:
    """A base model with the questions that were asked of it; without hash and name where there was none yet."""

    sha256: str
    name: str
    questions: int


@dataclass(frozen=True, slots=True)
class BlindCount:
    """How often a user picked each of two, not knowing whose answers they were, and how often both were as good."""

    one: str
    other: str
    picked_one: int
    picked_other: int
    as_good: int


@dataclass(frozen=True, slots=True)
class Tally:
    """All answers of a day that have side, reason and the like in common.

    Attributes:
        day: Of the questions, by the local clock.
        is_counted: A teacher was available, and no side was forced.
        cost_usd: Of those whose cost is known.
    """

    day: str
    is_counted: bool
    side: str
    is_shown: bool
    reason: str
    answers: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Label:
    """The last word on a local answer, a user's before any other, and what both heads had said before any word.

    Attributes:
        day: Of the question, by the local clock.
        answered: When, UTC.
        base: sha256.
        is_counted: A teacher was available, and no side was forced.
        is_given: The router chose the local model, and the user saw this answer.
        router: P(a local answer will do); None where the router was not asked.
        validator: P(the answer is good); None where the validator was not asked, or not before the first lesson.
        weight: So many answers it stands for: one over the probability with which it came to be judged.
        is_certain: A person or a judge said so, and no measure of similarity.
    """

    day: str
    answered: str
    base: str
    adapters: ActiveSet
    is_counted: bool
    is_given: bool
    router: float | None
    validator: float | None
    is_bad: bool
    source: str
    weight: float
    is_certain: bool


@dataclass(frozen=True, slots=True)
class Compared:
    """How far a local answer was from the teacher's, and how that was measured."""

    day: str
    method: str
    divergence: float


@dataclass(frozen=True, slots=True)
class Wait:
    """How long a user waited for the answer that was shown.

    Attributes:
        day: Of the question, by the local clock.
        seconds: From the question to the last token.
        local_seconds: Of them, those in which the local model read and wrote.
    """

    day: str
    side: str
    seconds: float
    local_seconds: float
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Spent:
    """What a day cost.

    Attributes:
        settled_usd: Of calls whose cost is known.
        reserved_usd: Set aside at worst for calls whose cost was never told.
    """

    day: str
    settled_usd: float
    reserved_usd: float


@dataclass(frozen=True, slots=True)
class Pairs:
    """Tokens of questions that both sides answered whole, by each side's own count."""

    pairs: int
    local_prompt: int
    teacher_prompt: int
    local_completion: int
    teacher_completion: int


@dataclass(frozen=True, slots=True)
class Activation:
    """What was applied to a base from a moment on, and why.

    Attributes:
        base: sha256.
        name: Of the base; empty where its file was never recorded.
    """

    created: str
    base: str
    name: str
    adapters: ActiveSet
    why: str
