"""What the journal keeps, as frozen records."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from shammah.features import Vector
from shammah.generation import ActiveSet
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
class Question:
    """A question as the journal keeps it: redacted, with all that was said before it.

    Attributes:
        context: The whole prompt, this question last.
        lineage: sha256 of the base model that it counts for.
        router_threshold: That applied; None where everything was forwarded, or no router was asked.
        learner: What kind of head gave the router's probability; None where none did, or a row is older than this.
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
class Lesson:
    """One labelled outcome, with what was seen."""

    id: int
    question: Question
    answer: Answer | None
    is_good: bool
    weight: float


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


@dataclass(frozen=True, slots=True)
class View:
    """Which lessons a head learns from: a reset or a rollback leaves some out, and deletes none.

    Attributes:
        number: Of the change that made it; 0 before the first.
        spans: Of lesson ids, (after, until), until None for what is still to come; only the last is open.
        inherits: Whether the lessons of earlier bases come before.
    """

    number: int = 0
    spans: tuple[tuple[int, int | None], ...] = ((0, None),)
    inherits: bool = True

    @property
    def start(self) -> int:
        """What comes after this lesson counts."""
        return self.spans[-1][0]

    def holds(self, lesson: int) -> bool:
        """Whether a lesson is one of them."""
        return any(after < lesson and (until is None or lesson <= until) for after, until in self.spans)

    def cut(self, cursor: int, last: int) -> "View":
        """The view that had seen lessons up to one, and goes on after another: what lies between is left out."""
        seen = [(after, min(cursor, until or cursor)) for after, until in self.spans if after < cursor]
        if seen and seen[-1][1] == last:
            return View(0, (*seen[:-1], (seen[-1][0], None)), self.inherits)
        return View(0, (*seen, (last, None)), self.inherits)


@dataclass(frozen=True, slots=True)
class Adoption:
    """What a new base takes over from earlier ones.

    Attributes:
        until: The last of their lessons that it learns from.
        questions: At which its own count starts.
    """

    until: int
    questions: int


@dataclass(frozen=True, slots=True)
class Fit:
    """How a head did when it was fitted again, from lesson to lesson.

    Attributes:
        lessons: That were taken in.
        last_lesson: Id of the last of them.
        early_loss: Mean log-loss, in nats, of what it said before each lesson of the first third; None without any.
        late_loss: The same of the last third.
    """

    lessons: int
    last_lesson: int
    early_loss: float | None
    late_loss: float | None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Heads, active adapters and metrics as they were.

    Attributes:
        questions: Counted for the base then.
        folder: With whole files, as long as a row names it.
    """

    number: int
    created: str
    lineage: str
    questions: int
    why: str
    folder: str


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


@dataclass(frozen=True, slots=True)
class Job:
    """Work for the background."""

    id: int
    kind: str
    payload: dict[str, Any]
    attempts: int


@dataclass(frozen=True, slots=True)
class Pull:
    """A model that is wanted, and fetched in the background.

    Attributes:
        spec: What `shammah models pull` takes.
        title: As people read it.
        bytes: Of all its files.
        done_bytes: Of them on the disk, when that was last recorded.
        attempts: That failed.
        error: Why the last of them did.
    """

    number: int
    spec: str
    title: str
    bytes: int
    done_bytes: int
    attempts: int
    error: str | None

    @property
    def percent(self) -> int:
        """How much of it is here."""
        return min(100, 100 * self.done_bytes // max(1, self.bytes))


@dataclass(frozen=True, slots=True)
class Base:
    """A model file, as it was when its hash was taken.

    Attributes:
        mtime_ns: When it was written, as it says: any program can set that.
        ctime_ns: When its bytes, name or rights last changed, as the kernel says; 0 where that was not recorded.
    """

    sha256: str
    path: str
    size: int
    mtime_ns: int
    inode: int
    name: str
    architecture: str
    ctime_ns: int = 0
