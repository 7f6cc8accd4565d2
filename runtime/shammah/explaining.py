"""Why an answer came from where it came: what each head said, what made it say so, and similar past questions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shammah import features
from shammah.divergence import Embed
from shammah.features import Features, Vector
from shammah.heads import Head
from shammah.journal import Journal
from shammah.learning import Heads
from shammah.policy import Reason, Side
from shammah.records.questions import Answer, Question
from shammah.sight import HeadName, names_of, seen_by_router, seen_by_validator

NEIGHBOURS = 5

WORDS = {
    Reason.COLD_START: "the first questions of a model all go to the teacher",
    Reason.LOW_CONFIDENCE: "the router was not sure enough of a local answer",
    Reason.REJECTED_DRAFT: "the local model answered, and the validator did not vouch for it",
    Reason.SAMPLED: "it was made for comparison",
    Reason.FORCED: "the command named the side",
    Reason.OFFLINE: "nothing may leave the machine",
    Reason.NO_KEY: "the teacher has no key here",
    Reason.BUDGET: "the day's budget for the teacher did not cover it",
    Reason.PRIVATE: "`privacy.never_forward` keeps the conversation on this machine",
    Reason.MODEL_NOT_READY: "there was no local model",
    Reason.CONTEXT_TOO_LONG: "the question did not fit the local model's context",
    Reason.TEACHER_FAILED: "the teacher failed, and the local answer stands in",
    Reason.LOCAL_FAILED: "the local model failed, and the teacher answered in its place",
    Reason.LOCAL_CONFIDENT: "the router was sure enough of a local answer",
}


@dataclass(frozen=True, slots=True)
class Said:
    """What a head said of a question or an answer, and what speaks in it now.

    Attributes:
        probability: That it gave then; None where it was not asked.
        threshold: From which a local answer was given; None where none was.
        probability_now: That it would give with what it has learnt since.
        spoke: What each input adds to the logit now, in nats, the largest first.
    """

    head: HeadName
    probability: float | None
    threshold: float | None
    probability_now: float
    spoke: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A past question that means nearly the same.

    Attributes:
        similarity: Cosine of both embeddings.
        is_good: Whether its local answer did as well as the teacher's; None where nobody compared.
    """

    id: str
    text: str
    similarity: float
    is_good: bool | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a question was answered as it was.

    Attributes:
        count: Questions that were counted before it.
        said: By the router, and by the validator where a local answer was there to judge.
        neighbours: The nearest first; none without an embedder.
    """

    question: Question
    shown: Answer
    why: str
    count: int
    said: tuple[Said, ...]
    neighbours: tuple[Neighbour, ...]


def explain(journal: Journal, heads: Heads, question: Question, shown: Answer, embed: Embed | None) -> Explanation:
    """Explain the answer that was shown to a question, with the heads as they are now."""
    count = journal.count_before(question)
    said = [_router(heads, question), _validator(heads, question, _judged(journal.answers(question)))]
    return Explanation(
        question=question,
        shown=shown,
        why=WORDS.get(Reason(shown.reason), shown.reason),
        count=count,
        said=tuple(one for one in said if one is not None),
        neighbours=tuple(nearest(journal, question, embed)),
    )


def nearest(journal: Journal, question: Question, embed: Embed | None) -> list[Neighbour]:
    """The past questions whose embeddings are nearest, the nearest first."""
    embedding = _embedding(question, embed)
    others = journal.log.embedded(question) if embedding is not None else []
    if embedding is None or not others:
        return []
    cosines = np.stack([other.embedding for other in others]) @ embedding
    best = np.argsort(-cosines, kind="stable")[:NEIGHBOURS]
    found = [(others[place], float(cosines[place])) for place in best]
    return [Neighbour(other.id, other.text, cosine, other.is_good) for other, cosine in found]


def _embedding(question: Question, embed: Embed | None) -> Vector | None:
    if question.embedding is not None or embed is None:
        return question.embedding
    return embed(question.text)


def _router(heads: Heads, question: Question) -> Said | None:
    seen = seen_by_router(question)
    if seen is None:
        return None
    return _said("router", heads.look("router"), seen, question.router_probability, question.router_threshold)


def _validator(heads: Heads, question: Question, answer: Answer | None) -> Said | None:
    # Of an answer that another version of the features saw, nothing can be told feature by feature.
    if answer is None or answer.features is None or answer.feature_version != features.VERSION:
        return None
    seen = seen_by_validator(question, answer.features)
    if seen is None:
        return None
    bar = question.validator_threshold
    return _said("validator", heads.look("validator"), seen, answer.validator_probability, bar)


def _judged(answers: Sequence[Answer]) -> Answer | None:
    """The local answer that the validator judged, else the first that it could have."""
    local = [answer for answer in answers if answer.side == Side.LOCAL and answer.features is not None]
    return next((answer for answer in local if answer.validator_probability is not None), next(iter(local), None))


def _said(name: HeadName, head: Head, seen: Features, probability: float | None, threshold: float | None) -> Said:
    return Said(name, probability, threshold, head.probability(seen), _spoke(name, head, seen))


def _spoke(name: HeadName, head: Head, seen: Features) -> tuple[tuple[str, float], ...]:
    """What speaks, by name: each hand feature, and bias, waves and embedding as a whole."""
    found = head.contributions(seen)
    named = dict(zip(names_of(name), found.hand, strict=True)) | {"bias": found.bias, "embedding": found.embedding}
    if head.prior.waves:
        named["all features together"] = found.waves
    return tuple(sorted(((key, value) for key, value in named.items() if value), key=lambda pair: -abs(pair[1])))
