"""What is known of an answer, as figures from 0 to 1. Pure; `docs/teaching.md` tells each in words."""

import math
import re
from collections.abc import Sequence

from shammah.divergence import Divergence, Method
from shammah.features import Vector
from shammah.teaching.results import Verdict

RISK_WEIGHTS = {"disagreement": 0.4, "uncertainty": 0.3, "badness": 0.3}
_WORD = re.compile(r"\w+")


def uncertainty(logprobs: Sequence[float]) -> float | None:
    """1 minus the geometric mean of the token probabilities; None where none are known."""
    return 1 - math.exp(sum(logprobs) / len(logprobs)) if logprobs else None


def coherence(text: str) -> float | None:
    """1 minus the share of word trigrams that came before; None for a text of fewer than three words."""
    words = _WORD.findall(text.lower())
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    return len(set(trigrams)) / len(trigrams) if trigrams else None


def on_topic(question: Vector | None, answer: Vector | None) -> float | None:
    """The cosine of two unit vectors, 0 at least; None without them."""
    return None if question is None or answer is None else min(1.0, max(0.0, float(question @ answer)))


def hallucination_risk(agreement: float | None, unsure: float | None, quality: float | None) -> float | None:
    """The weighted mean of what speaks for an invented answer, over what is known; None where nothing is."""
    known = {
        "disagreement": None if agreement is None else 1 - agreement,
        "uncertainty": unsure,
        "badness": None if quality is None else 1 - quality,
    }
    parts = [(RISK_WEIGHTS[name], value) for name, value in known.items() if value is not None]
    return sum(weight * value for weight, value in parts) / sum(weight for weight, _ in parts) if parts else None


def verdict(divergence: Divergence) -> Verdict:
    """A divergence in a word."""
    if not divergence.is_small:
        return "different"
    return "same" if divergence.method in (Method.EXACT, Method.SYNTAX) else "close"
