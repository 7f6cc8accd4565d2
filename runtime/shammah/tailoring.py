"""Adapters by the question: what they are for is taken from questions, and what suits is applied before an answer.

Without domains, too, an adapter that was trained here speaks where it has learnt something: what is active answers
questions that are near to one of its examples, and the bare model all others, as if nothing had been trained.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from shammah import adapters
from shammah.adapters import Adaptable
from shammah.divergence import Embed
from shammah.domains import LEAST_COMMON, LEAST_QUESTIONS, Way, centre, choose
from shammah.errors import AdapterError, UsageError
from shammah.features import Vector
from shammah.generation import ActiveSet, Chunk, Sampling, Stop, never
from shammah.journal import Journal
from shammah.records.adapters import Adapter, Domain
from shammah.records.examples import Learnt
from shammah.records.questions import Question
from shammah.rows import now
from shammah.sides import LocalGenerator
from shammah_convert.chat import Message


class Model(Adaptable, LocalGenerator, Protocol):
    """A local model whose adapters can be swapped."""


@dataclass(frozen=True, slots=True)
class Tailor:
    """Whoever chooses the adapters of a base by the question.

    Attributes:
        way: How domains choose; "off" where they have no say.
        least: From this cosine to a question that it has learnt on, what is active answers; from 0 on, everything.
    """

    journal: Journal
    base: str
    way: Way | Literal["off"]
    embed: Embed
    least: float = 0.0

    def suiting(self, messages: Sequence[Message]) -> ActiveSet:
        """The adapters that answer a conversation; none where the bare model does."""
        if chosen := self.by_domain(messages):
            return chosen
        active = self.journal.adapters.active(self.base)
        return active if self.is_near(messages, active) else ()

    def by_domain(self, messages: Sequence[Message]) -> ActiveSet:
        """The adapters in whose domain a conversation lies; none where it lies in no domain."""
        domains = [] if self.way == "off" else self.journal.domains.all(self.base)
        if self.way == "off" or not domains:
            return ()
        active = self.journal.adapters.active(self.base)
        return choose(self.embed(asked(messages)), domains, self.way, lambda domain: self._learnt(domain, active))

    def is_near(self, messages: Sequence[Message], active: ActiveSet) -> bool:
        """Whether a conversation, or its last question, is near to one that these adapters have learnt.

        They are near to everything where it is not known what one of them has learnt.
        """
        learnt = self.journal.domains.learnt(active) if active and self.least > 0 else None
        if learnt is None:
            return True
        rows = embeddings(self.journal, learnt, self.embed)
        last = [message for message in messages if message.role == "user"][-1:]
        said = [self.embed(text) for text in dict.fromkeys((asked(messages), asked(last)))]
        return any(float(row @ vector) >= self.least for vector in said for row in rows)

    def _learnt(self, domain: Domain, active: ActiveSet) -> NDArray[np.float32]:
        """Embeddings of the corrections that only what is active has learnt, (corrections, width)."""
        found = self.journal.domains.learnt_elsewhere(domain, active)
        rows = [embedding_of(self.journal, question, self.embed) for question in found]
        return np.stack(rows) if rows else np.empty((0, len(domain.centroid)), np.float32)


class Tailored:
    """A local model that applies the adapters that suit a conversation before it answers."""

    def __init__(self, model: Model, tailor: Tailor, say: Callable[[str], None]) -> None:
        self._model = model
        self._tailor = tailor
        self._say = say

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """How long a prompt is, which no adapter changes."""
        return self._model.count_tokens(messages)

    def fits(self, prompt_tokens: int, max_tokens: int, limit_tokens: int | None = None) -> bool:
        """Whether a prompt leaves room for an answer."""
        return self._model.fits(prompt_tokens, max_tokens, limit_tokens)

    def stream(
        self, messages: Sequence[Message], sampling: Sampling, stop: Stop = never, limit_tokens: int | None = None
    ) -> Iterator[Chunk]:
        """Complete a conversation with what suits it."""
        self._adapt(messages)
        return self._model.stream(messages, sampling, stop, limit_tokens)

    def _adapt(self, messages: Sequence[Message]) -> None:
        """Apply what suits, else what is active; where no file of either can be used, the bare model answers."""
        journal, base = self._tailor.journal, self._tailor.base
        for names in (self._tailor.suiting(messages), journal.adapters.active(base)):
            try:
                adapters.swap(self._model, adapters.files_of(journal, base, names))
                return
            except AdapterError as error:
                self._say(f"An adapter cannot be applied: {error}. {error.hint}")
        self._model.apply(())


def asked(messages: Sequence[Message]) -> str:
    """What a conversation is about: all its questions, as one that only goes on says little by itself."""
    return "\n".join(message.content for message in messages if message.role == "user")


def embeddings(journal: Journal, learnt: Sequence[Learnt], embed: Embed) -> list[Vector]:
    """Of questions that were learnt, without their conversations; each is made once, and kept."""
    made = {one.example: embed(one.text) for one in learnt if one.embedding is None}
    if made:
        journal.domains.note_embeddings(made)
    return [made[one.example] if one.embedding is None else one.embedding for one in learnt]


def embedding_of(journal: Journal, question: Question, embed: Embed) -> Vector:
    """A recorded question's embedding, with its conversation; that of a first question is made once, and kept."""
    if sum(message.role == "user" for message in question.context) > 1:
        return embed(asked(question.context))
    if question.embedding is None:
        question = journal.note_embedding(question, embed(question.text))
    assert question.embedding is not None
    return question.embedding


def tie(journal: Journal, adapter: Adapter, embed: Embed, texts: Sequence[str] = ()) -> Domain:
    """Give an adapter a domain, made of the questions that it has learnt, or of such ones as are given.

    Raises:
        UsageError: They are too few, or have too little in common.
    """
    vectors = [embed(text) for text in dict.fromkeys(texts)] if texts else _learnt_by(journal, adapter, embed)
    if len(vectors) < LEAST_QUESTIONS:
        raise UsageError(
            f"{len(vectors)} different question{'s' * (len(vectors) != 1)} cannot make a domain, {LEAST_QUESTIONS} can",
            hint=f"Give some, one a line: shammah adapters domain {adapter.name} --questions FILE",
        )
    found = centre(vectors)
    if found.common < LEAST_COMMON:
        raise UsageError(
            f"these {len(vectors)} questions have too little in common (cosine {found.common:.2f})",
            hint=f"Give such as are alike, one a line: shammah adapters domain {adapter.name} --questions FILE",
        )
    domain = Domain(adapter.name, found.centroid, found.reach, len(vectors), now())
    if not journal.domains.tie(domain):
        raise UsageError(f"{adapter.name} was deleted meanwhile", hint="See `shammah adapters list`.")
    return domain


def _learnt_by(journal: Journal, adapter: Adapter, embed: Embed) -> list[Vector]:
    """Embeddings of the different conversations that an adapter has learnt, as far as they are still known."""
    return [embed(text) for text in dict.fromkeys(map(asked, journal.domains.prompts(adapter.name)))]
