"""The peer of both benches: 20 hand features of a question, 24 of an answer, and Bayesian logistic regression.

It is the best simple learner that was found on this data before ours, kept as it was measured, in float64.
"""

import math
import re

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TIMES, DIVIDES = "\u00d7", "/\u00f7"
_FIGURE = re.compile(r"-?\$?\d[\d,]*(?:\.\d+)?")
_SUM = re.compile(rf"({_FIGURE.pattern})\s*([-+*/x\u00d7\u00f7])\s*({_FIGURE.pattern})\s*=\s*({_FIGURE.pattern})")
_HEDGE = r"\b(cannot|not (?:enough|possible|clear)|unclear|assum|however|approximately|sorry|mistake)"


class Reference:
    """A Gaussian over the weights with a unit prior, moved by rank-one Laplace steps."""

    def __init__(self, width: int) -> None:
        self._mean, self._covariance = np.zeros(width), np.eye(width)

    def probability(self, x: Array) -> float:
        """P(label = 1)."""
        spread = float(x @ self._covariance @ x)
        return _sigmoid(float(self._mean @ x) / math.sqrt(1 + math.pi * spread / 8))

    def learn(self, x: Array, is_good: bool) -> None:
        """Take in one lesson."""
        along, p = self._covariance @ x, self.probability(x)
        curvature = max(1e-4, p * (1 - p))
        shrink = 1 + curvature * float(x @ along)
        self._covariance -= np.outer(along, along) * (curvature / shrink)
        self._mean += along * ((is_good - p) / shrink)


def router_input(hand: Array, embedding: NDArray[np.float32]) -> Array:
    """The embedding, 20 hand features of the question, and a bias: (405,)."""
    return np.concatenate([embedding, 0.316 * hand, [0.5]])


def validator_input(question: str, answer: str) -> Array:
    """24 hand features of the answer, a bias among them, and 20 of the question: (44,)."""
    return np.concatenate([of_answer(question, answer), 0.5 * of_question(question)])


def of_question(text: str) -> Array:
    """20 hand features of a question."""
    words, numbers = text.split(), re.findall(r"\d+(?:\.\d+)?", text)
    count = max(1, len(words))
    return _clipped(
        np.log1p(len(text)) - 5.5,
        np.log1p(count) - 4,
        np.log1p(len(numbers)) - 1,
        len(numbers) / count * 5,
        min(8, text.count("?")) / 2,
        text.count("\n") / 5,
        min(6, len(re.findall(r"[.!?](?:\s|$)", text))) / 3,
        len(set(words)) / count * 2 - 1.5,
        float(np.mean([len(word) for word in words] or [0])) - 5,
        _has(r"\n[A-D]\. ", text),
        "%" in text,
        "$" in text,
        "_" in text,
        len(re.findall(r"[=+*/^<>\\]", text)) / 5,
        _has(r"\b(not|except|least|false|incorrect)\b", text),
        _has(r"\b(each|every|per|twice|half|times|total)\b", text),
        _has(r"\b(how many|how much)\b", text),
        _has(r"\b(why|explain|derive|prove)\b", text),
        _has(r"statement 1|scenario", text),
        max([len(number) for number in numbers] or [0]) / 3,
    )


def of_answer(question: str, answer: str) -> Array:
    """23 hand features of an answer and a bias: (24,)."""
    asked, said = set(_values(question)), _values(answer)
    holding, failing = _sums(answer)
    final = said[-1] if said else 0.0
    words, lines = answer.split(), [line for line in answer.splitlines() if line.strip()]
    return _clipped(
        np.log1p(len(answer)) - 5.3,
        np.log1p(len(words)) - 4,
        np.log1p(len(_SUM.findall(_bare(answer)))) - 1,
        min(6, failing) / 2,
        failing > 0,
        holding / (holding + failing + 1),
        len(asked & set(said)) / max(1, len(asked)) * 2 - 1,
        _has(r"(####|\bA:|answer is|therefore|total)", answer),
        _has(r"(####|A:)\s*\S+\s*$", answer.strip()),
        final == round(final),
        final < 0,
        final == 0,
        np.log1p(abs(final)) / 3 - 1,
        final in asked,
        len(lines) / 6 - 1,
        len(set(lines)) / max(1, len(lines)),
        len(set(words)) / max(1, len(words)) * 2 - 1,
        _has(_HEDGE, answer),
        not answer.strip(),
        answer.strip()[-1:] in ".!0123456789",
        (len(answer) - len(question)) / 500,
        len(re.findall(r"\d+\.\d{3,}", answer)) / 2,
        len(asked) / 5 - 1,
        1.0,
    )


def _sums(answer: str) -> tuple[int, int]:
    """How many sums with two terms hold, and how many do not."""
    checks = [_holds(*found) for found in _SUM.findall(_bare(answer))]
    return checks.count(True), checks.count(False)


def _holds(left: str, operator: str, right: str, result: str) -> bool | None:
    a, b, claimed = (_value(text) for text in (left, right, result))
    if operator in DIVIDES and b == 0:
        return None
    value = {"+": a + b, "-": a - b, "*": a * b, "x": a * b, TIMES: a * b}.get(operator)
    value = a / b if value is None else value
    return abs(value - claimed) <= 0.011 * max(1, abs(value))


def _values(text: str) -> list[float]:
    return [_value(found) for found in _FIGURE.findall(text)]


def _value(text: str) -> float:
    return float(text.replace(",", "").replace("$", ""))


def _bare(answer: str) -> str:
    """The answer without a calculator's marks."""
    return re.sub(r"<<[^>]*>>", "", answer)


def _has(pattern: str, text: str) -> bool:
    return bool(re.search(pattern, text, re.IGNORECASE))


def _clipped(*values: float) -> Array:
    return np.array(np.clip(values, -4.0, 4.0), dtype=np.float64)


def _sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, z))))
