"""Questions and answers as numbers: what router and validator see.

Hand features are scaled to about unit size and clipped at 4. The version rises with any change of their
meaning; heads and stored vectors of another version are set aside.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shammah.generation import Completion, Finish
from shammah.policy import Topic

VERSION = 1
CLIP = 4.0
EMBEDDING_WIDTH = 384

Vector = NDArray[np.float32]

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_WORD = re.compile(r"\w+")
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)")
_CODE = re.compile(r"```|`[^`]+`|[{};]|\b(?:def|class|import|return|const|SELECT)\b|^\s*[$>] ", re.MULTILINE)
_OPERATOR = re.compile(r"[=+*/^<>\\|&]")
_HEDGE = re.compile(
    r"\b(?:i do not know|i don't know|not sure|i cannot|i can't|unable to|as an ai|perhaps|maybe|might)\b",
    re.IGNORECASE,
)


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)


_NEGATION = _words("not|except|least|without|never|none|no|false|incorrect")
_REASONING = _words("why|explain|derive|prove|compare|difference|trade-?offs?")
_QUANTITY = _words("how many|how much|each|every|per|twice|half|times|total")
_MAKING = _words("write|create|build|implement|design|generate|refactor|draft")
_ARCHITECTURE = _words(
    "architect\\w*|design patterns?|microservices?|monolith|scal(?:e|ing|able|ability)|trade-?offs?|schema design"
    "|system design|event[- ]driven|coupling"
)
_SECURITY = _words(
    "security|secure(?:ly)?|vulnerab\\w*|exploit\\w*|encrypt\\w*|decrypt\\w*|xss|csrf|(?:sql )?injection"
    "|auth(?:entication|orization)?|oauth|jwt|tls|certificates?|cve|sandbox\\w*|privilege|malware|sanitiz\\w*|secrets?"
)

QUESTION_FEATURES = (
    "characters", "words", "numbers", "number_share", "question_marks", "lines", "sentences", "distinct_words",
    "word_length", "choices", "percent", "dollar", "underscore", "operators", "negation", "quantity", "how_many",
    "reasoning", "making", "longest_number", "code", "earlier_turns",
)  # fmt: skip
ANSWER_FEATURES = (
    "characters", "words", "is_whole", "is_cut", "is_empty", "first_line", "lines", "code", "hedges", "repetition",
    "distinct_words", "question_overlap", "question_numbers", "numbers", "ends_clean", "log_length_ratio",
    "has_logprobs", "mean_logprob", "lowest_logprob", "lowest_tenth", "first_logprob", "spread", "below_half",
    "last_quarter",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Features:
    """What is known of a question, or of a question with its answer.

    Attributes:
        hand: Hand features, float32 (n,).
        embedding: Unit-length float32 (384,) of the question; None without an embedder.
    """

    hand: Vector
    embedding: Vector | None = None


def topic(question: str) -> Topic:
    """The topic that the sampling rate depends on."""
    if _SECURITY.search(question):
        return Topic.SECURITY
    return Topic.ARCHITECTURE if _ARCHITECTURE.search(question) else Topic.GENERAL


def of_question(question: str, earlier_turns: int = 0) -> Vector:
    """Hand features of a question, float32 (22,), named by `QUESTION_FEATURES`."""
    words, numbers = question.split(), _NUMBER.findall(question)
    count = max(1, len(words))
    return _vector(
        np.log1p(len(question)) - 4,
        np.log1p(len(words)) - 2.3,
        np.log1p(len(numbers)) - 0.3,
        len(numbers) / count * 5,
        question.count("?") / 2,
        np.log1p(question.count("\n")),
        len(_SENTENCE_END.findall(question)) / 3,
        len({word.lower() for word in words}) / count * 2 - 1.5,
        float(np.mean([len(word) for word in words] or [0])) - 5,
        bool(re.search(r"\n\(?[A-D][.)] ", question)),
        "%" in question,
        "$" in question,
        "_" in question,
        len(_OPERATOR.findall(question)) / 5,
        bool(_NEGATION.search(question)),
        bool(_QUANTITY.search(question)),
        bool(re.search(r"\bhow (?:many|much)\b", question, re.IGNORECASE)),
        bool(_REASONING.search(question)),
        bool(_MAKING.search(question)),
        max((len(number) for number in numbers), default=0) / 3,
        bool(_CODE.search(question)),
        min(earlier_turns, 8) / 4,
    )


def of_answer(question: str, answer: Completion) -> Vector:
    """Hand features of a local answer to a question, float32 (24,), named by `ANSWER_FEATURES`."""
    text = answer.text
    words, lines = _WORD.findall(text.lower()), text.splitlines()
    asked = set(_WORD.findall(question.lower()))
    numbers = set(_NUMBER.findall(question))
    return _vector(
        np.log1p(len(text)) - 4,
        np.log1p(len(words)) - 2.5,
        answer.end.finish is Finish.STOP,
        answer.end.finish is Finish.LENGTH,
        not text,
        len(lines[0]) / 60 - 1 if lines else -1,
        np.log1p(len(lines)),
        bool(_CODE.search(text)),
        len(_HEDGE.findall(text)),
        _repetition(words) * 4,
        len(set(words)) / max(1, len(words)) * 2 - 1.5,
        len(asked & set(words)) / max(1, len(asked)) * 2,
        len(numbers & set(_NUMBER.findall(text))) / max(1, len(numbers)),
        np.log1p(len(_NUMBER.findall(text))) / 2,
        text.rstrip().endswith((".", "!", "?", ":", "`", ")", "}")),
        np.log1p(len(text)) - np.log1p(len(question)),
        *_logprob_features(answer.logprobs),
    )


def _logprob_features(logprobs: Sequence[float]) -> tuple[float, ...]:
    """Statistics of token log-probabilities; zeros where there are none."""
    if not logprobs:
        return (0.0,) * 8
    values = np.array(logprobs)
    lowest_tenth = np.sort(values)[: max(1, len(values) // 10)]
    return (
        1.0,
        float(values.mean()) * 3,
        float(values.min()) / 2,
        float(lowest_tenth.mean()),
        float(values[0]),
        float(values.std()),
        float((values < np.log(0.5)).mean()) * 4,
        float(values[-max(1, len(values) // 4) :].mean()) * 3,
    )


def _repetition(words: Sequence[str]) -> float:
    """Share of word trigrams that came before."""
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    return 1 - len(set(trigrams)) / len(trigrams) if trigrams else 0.0


def _vector(*values: float) -> Vector:
    return np.clip(np.array(values, dtype=np.float32), -CLIP, CLIP)
