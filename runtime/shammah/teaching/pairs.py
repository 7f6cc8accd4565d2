"""Pairs of questions and answers that somebody outside gives: read, checked, and split. Pure."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from shammah.divergence import Embed
from shammah.features import Vector
from shammah.privacy import Redactor, says_the_same
from shammah.quarantine import Pair
from shammah.teaching.requests import LONGEST_ANSWER, LONGEST_QUESTION

LONGEST_TEXT = 400_000
MOST_TRIES = 2000
"""Of braces that may begin an object, in what is no JSON as a whole."""
TEST_PARTS = 4
"""One of so many questions is asked and never learnt, always the same ones."""
NEAR = 0.92
"""From this cosine on two questions are one in other words."""
MOST_KNOWN = 1000
"""Of the newest questions, to be compared by meaning: 4 ms each."""
_WORD = re.compile(r"\w+")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

Said = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sorted:
    """Pairs that were taken, and how many were not, by reason."""

    taken: tuple[Pair, ...]
    refused: Counter[str]


def parse(text: str) -> Iterator[Said]:
    """Every pair in what Claude wrote: JSON as it was asked for, or as much of it as is whole.

    A fence, words around it and a cut end lose no more than what they cut.
    """
    decoder, place = json.JSONDecoder(), 0
    text = text[:LONGEST_TEXT]
    for _ in range(MOST_TRIES):
        place = text.find("{", place)
        if place < 0:
            return
        try:
            found, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            place += 1
            continue
        yield from _pairs_in(found)


def _pairs_in(found: object) -> Iterator[Said]:
    if not isinstance(found, dict):
        return
    question, answer = found.get("question"), found.get("answer")
    if isinstance(question, str) and isinstance(answer, str):
        yield question, answer
    elif isinstance(found.get("pairs"), list):
        for each in found["pairs"]:
            yield from _pairs_in(each)


def sort(said: Iterable[Said], known: Sequence[str], embed: Embed | None) -> Sorted:
    """Take the pairs that are fit to be learnt and new; each question is learnt or asked, never both.

    Args:
        said: As they came.
        known: Every question that is there already.
        embed: Tells questions in other words; None where there is no embedder.
    """
    taken, refused = list[Pair](), Counter[str]()
    seen, near = {plain(question) for question in known}, _Near(known, embed)
    for question, answer in said:
        question, answer = tidy(question), tidy(answer)
        why = _fault(question, answer, seen) or ("known in other words" if near.knows(question) else "")
        if why:
            refused[why] += 1
            continue
        seen.add(plain(question))
        near.add(question)
        taken.append(Pair(question, answer, is_test(question)))
    return Sorted(tuple(taken), refused)


def is_test(question: str) -> bool:
    """Whether a question is asked and never learnt: decided by its words, whoever gives it."""
    return hashlib.sha256(plain(question).encode()).digest()[0] % TEST_PARTS == 0


def plain(text: str) -> str:
    """The words of a text, for comparing; of one without any, the text."""
    return " ".join(_WORD.findall(text.lower())) or text.strip()


def tidy(text: str) -> str:
    """Redacted, without controls and half surrogates, and without blanks around it."""
    text = text.encode("utf-8", "replace").decode().replace("\r\n", "\n")
    return Redactor().redact(_CONTROLS.sub("", text).strip())


def _fault(question: str, answer: str, seen: Collection[str]) -> str:
    """Why a pair is not taken; empty where it is."""
    if not question or not answer:
        return "empty"
    if len(question) > LONGEST_QUESTION or len(answer) > LONGEST_ANSWER:
        return "too long"
    if says_the_same(question, answer):
        return "answers by the question"
    return "known" if plain(question) in seen else ""


class _Near:
    """Questions by their meaning."""

    def __init__(self, known: Sequence[str], embed: Embed | None) -> None:
        self._embed = embed
        self._vectors: list[Vector] = []
        self._known = known[-MOST_KNOWN:]

    def knows(self, question: str) -> bool:
        if self._embed is None:
            return False
        if not self._vectors:
            self._vectors = [self._embed(text) for text in self._known]
        vector = self._embed(question)
        return any(float(vector @ other) >= NEAR for other in self._vectors)

    def add(self, question: str) -> None:
        if self._embed is not None:
            self._vectors.append(self._embed(question))
