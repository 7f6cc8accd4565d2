"""`query_local_model`: an answer of the local model, with what is known of it."""

import time

import numpy as np

from shammah import divergence, features
from shammah.errors import StaysHere
from shammah.features import Features, Vector
from shammah.generation import ActiveSet, Completion, Finish, Sampling
from shammah.privacy import Redactor
from shammah.sides import LocalSide
from shammah.teaching import figures
from shammah.teaching.classroom import Classroom
from shammah.teaching.claude import HINT
from shammah.teaching.requests import QueryLocalModel
from shammah.teaching.results import LocalAnswer
from shammah_convert.chat import Message

SECOND_TEMPERATURE, SECOND_SEED = 0.7, 1


def query(room: Classroom, asked: QueryLocalModel) -> LocalAnswer:
    """Ask the local model, greedily; a second answer is drawn where that is wanted.

    Raises:
        StaysHere: What it says is not for whoever calls from outside.
        ShammahError: It cannot be opened, or the question does not fit its context.
    """
    messages = [Message("user", asked.question)]
    with room.answering() as local:
        started = time.monotonic()
        first = local.complete(messages, Sampling(asked.max_tokens), lambda _: None)
        seconds = time.monotonic() - started
        agreement = _agreement(room, local, asked, first) if asked.asks_twice else None
    if room.claude.keeps(first.text):
        raise StaysHere("the answer stays on this machine: it matches `privacy.never_forward`", hint=HINT)
    embedded = _embedded(room, asked.question), _embedded(room, first.text)
    quality = _quality(room, asked.question, first, embedded[0])
    unsure = figures.uncertainty(first.logprobs)
    return LocalAnswer(
        answer=Redactor().redact(first.text),
        is_whole=first.end.finish is Finish.STOP and bool(first.text),
        model=room.base.name,
        adapters=_names(first.end.adapters),
        tokens=first.end.completion_tokens,
        seconds=round(seconds, 3),
        quality=quality,
        uncertainty=unsure,
        coherence=figures.coherence(first.text),
        agreement=agreement,
        on_topic=figures.on_topic(*embedded),
        hallucination_risk=figures.hallucination_risk(agreement, unsure, quality),
    )


def _agreement(room: Classroom, local: LocalSide, asked: QueryLocalModel, first: Completion) -> float:
    sampling = Sampling(asked.max_tokens, temperature=SECOND_TEMPERATURE, seed=SECOND_SEED)
    second = local.complete([Message("user", asked.question)], sampling, lambda _: None)
    return 1 - divergence.measure(second.text, first.text, room.embed).value


def _quality(room: Classroom, question: str, answer: Completion, embedding: Vector | None) -> float | None:
    """The validator's word; None before its first lesson."""
    head = room.heads.open("validator")
    if not head.lessons:
        return None
    hand = np.concatenate([features.of_question(question), features.of_answer(question, answer)])
    return head.probability(Features(hand, embedding))


def _embedded(room: Classroom, text: str) -> Vector | None:
    return room.embed(text) if room.embed is not None and text else None


def _names(adapters: ActiveSet) -> tuple[str, ...]:
    return tuple(f"{name}:{scale:g}" for name, scale in adapters)
