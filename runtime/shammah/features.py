"""Questions and answers as numbers: what router and validator see.

Hand features are scaled to about unit size and clipped at 4. The version rises with any change of their
meaning; heads and stored vectors of another version are set aside.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shammah import answer_figures, sums
from shammah.generation import Completion, Finish

VERSION = 2
CLIP = 4.0
EMBEDDING_WIDTH = 384

Vector = NDArray[np.float32]

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_WORD = re.compile(r"\w+")
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)")
_CODE = re.compile(r"```|`[^`]+`|[{};]|\b(?:def|class|import|return|const|SELECT)\b|^\s*[$>] ", re.MULTILINE)
_CHOICE = re.compile(r"\n\(?[A-E][.)] ")
_ANSWER_CUE = re.compile(r"\nAnswer:\s*$")
_LATIN_WORD = re.compile(r"[a-z']+")
_FIGURE = re.compile(r"[-$\d.,%/\s]+\w{0,6}")
_OPERATOR = re.compile(r"[=+*/^<>\\|&]")
_HEDGE = re.compile(
    r"\b(?:i do not know|i don't know|not sure|i cannot|i can't|unable to|as an ai|perhaps|maybe|might)\b",
    re.IGNORECASE,
)


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)


_ASSUMES = re.compile(
    r"\b(?:cannot|not (?:enough|possible|clear)|unclear|assum|however|approximately|sorry|mistake)", re.IGNORECASE
)
_CONCLUDES = re.compile(r"####|\bA:|answer is|therefore", re.IGNORECASE)
_MARKED = re.compile(r"(?:####|A:)\s*\S+$")
_NEGATION = _words("not|except|least|without|never|none|no|false|incorrect")
_REASONING = _words("why|explain|derive|prove|compare|difference|trade-?offs?")
_CATCH_ALL = _words("(?:all|none|both|neither) of (?:the above|these|them)")
_QUANTITY = _words("how many|how much|each|every|per|twice|half|times|total")
_MAKING = _words("write|create|build|implement|design|generate|refactor|draft")
QUESTION_FEATURES = (
    "characters", "words", "numbers", "number_share", "question_marks", "lines", "sentences", "distinct_words",
    "word_length", "choices", "percent", "dollar", "underscore", "operators", "negation", "quantity", "how_many",
    "reasoning", "making", "longest_number", "code", "earlier_turns",
    "stem", "choice_length", "choice_spread", "numeric_choices", "choices_in_stem", "distinct_in_choices", "catch_all",
)  # fmt: skip
ANSWER_FEATURES = (
    "characters", "words", "is_whole", "is_cut", "is_empty", "first_line", "lines", "code", "hedges", "repetition",
    "distinct_words", "question_overlap", "question_numbers", "numbers", "ends_clean", "log_length_ratio",
    "has_logprobs", "mean_logprob", "lowest_logprob", "lowest_tenth", "first_logprob", "spread", "below_half",
    "last_quarter",
    "sums", "failing_sums", "has_failing_sum", "holding_sums", "sums_a_figure", "many_sums", "chained_sums",
    "repeated_results", "final_is_last_result", "final_is_a_result", "final_is_last_said", "final_ratio",
    "final_is_whole", "final_was_asked", "final_size", "final_is_zero", "asked_in_answer", "asked_in_sums",
    "asked_unused", "asked_figures", "ungrounded", "ungrounded_share", "decimals", "long_decimals", "largest_ratio",
    "line_repetition", "line_words", "last_line", "assumes", "concludes", "marks_final", "ends_in_sentence",
    "ends_in_digit", "open_brackets", "calculator", "percent_added", "length_gap",
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


def of_question(question: str, earlier_turns: int = 0) -> Vector:
    """Hand features of a question, float32 (29,), named by `QUESTION_FEATURES`."""
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
        *_choice_features(question),
    )


def _choice_features(question: str) -> tuple[float, ...]:
    """The question without its choices, and what the choices look like; neutral where there are none."""
    stem, *choices = _CHOICE.split(_ANSWER_CUE.sub("", question))
    stem_length = float(np.log1p(len(stem)) - 5)
    if not choices:
        return (stem_length, -2.0, -2.0, 0.0, 0.0, 0.0, 0.0)
    asked, words = set(_LATIN_WORD.findall(stem.lower())), " ".join(choices).lower().split()
    lengths = [len(choice) for choice in choices]
    return (
        stem_length,
        float(np.log1p(np.mean(lengths)) - 2),
        float(np.log1p(np.std(lengths)) - 2),
        sum(bool(_FIGURE.fullmatch(choice.strip())) for choice in choices) / len(choices),
        sum(_share_in(choice.lower().split(), asked) for choice in choices) / len(choices),
        len(set(words)) / max(1, len(words)) * 2 - 1,
        bool(_CATCH_ALL.search(question)),
    )


def _share_in(words: Sequence[str], known: set[str]) -> float:
    """The share of a choice's distinct words that are known, by its length."""
    return len(set(words) & known) / max(1, len(words))


def of_answer(question: str, answer: Completion) -> Vector:
    """Hand features of a local answer to a question, float32 (61,), named by `ANSWER_FEATURES`."""
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
        *answer_figures.of(question, text),
        *_form_features(question, text),
    )


def _form_features(question: str, text: str) -> tuple[float, ...]:
    """How an answer is laid out, and how it ends."""
    bare, end = sums.without_calculator(text), text.rstrip()
    lines = [line for line in bare.splitlines() if line.strip()]
    return (
        len(set(lines)) / max(1, len(lines)) * 4 - 3.5,
        len(_WORD.findall(bare)) / max(1, len(lines)) / 15 - 1,
        float(np.log1p(len(lines[-1]) if lines else 0) - 3),
        bool(_ASSUMES.search(text)),
        bool(_CONCLUDES.search(text)),
        bool(_MARKED.search(end)),
        end.endswith((".", "!")),
        end[-1:].isdigit(),
        abs(text.count("<<") - text.count(">>")) + abs(text.count("(") - text.count(")")),
        float(np.log1p(text.count("<<")) / 2),
        ("%" in text) - ("%" in question),
        (len(text) - len(question)) / 500,
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
