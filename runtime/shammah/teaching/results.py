"""What the five tools answer, as frozen records; `docs/teaching.md` says how each figure is made."""

from dataclasses import dataclass
from typing import Literal

from shammah.teaching.schema import about

Verdict = Literal["same", "close", "different"]


@dataclass(frozen=True, slots=True)
class LocalAnswer:
    """An answer of the local model, with what is known of it; a figure that cannot be made is null."""

    answer: str = about("What it said; secrets stand there as placeholders.")
    is_whole: bool = about("Whether it came to its end, and holds anything.")
    model: str = about("Which model said it.")
    adapters: tuple[str, ...] = about("What was applied to it, with scales.")
    tokens: int = about("Of the answer.")
    seconds: float = about("That it took.")
    quality: float | None = about("The validator's probability that the answer is good; null before its first lesson.")
    uncertainty: float | None = about("1 minus the geometric mean of the probabilities of its tokens.")
    coherence: float | None = about("1 minus the share of its word trigrams that came before in it.")
    agreement: float | None = about("1 minus the divergence from a second answer, drawn at temperature 0.7.")
    on_topic: float | None = about("Cosine of question and answer in the sentence embedder's space; null without one.")
    hallucination_risk: float | None = about(
        "Weighted mean, over what is known, of 1 - agreement (0.4), uncertainty (0.3) and 1 - quality (0.3)."
    )


@dataclass(frozen=True, slots=True)
class Compared:
    """Two answers side by side."""

    question: str = about("What both were asked.")
    local: LocalAnswer = about("The local model's.")
    reference: str = about("The answer that it is compared with.")
    reference_from: str = about("Who gave that: `given`, or the name of the model that was asked.")
    similarity: float = about("1 minus the divergence.")
    divergence: float = about("0 says the same, 1 has nothing in common.")
    method: str = about("How that was measured: exact, syntax (the same code), semantic, or bleu (shared words).")
    verdict: Verdict = about("same: the same text or code; close: within the method's threshold; different: beyond it.")
    cost_usd: float | None = about("Of the call to the teacher, where one was made and its price is known.", None)


@dataclass(frozen=True, slots=True)
class Refused:
    """Pairs that were not taken, for one reason."""

    reason: str = about("Why.")
    count: int = about("How many.")


@dataclass(frozen=True, slots=True)
class Generated:
    """What became of pairs that were made."""

    batch: str = about("By which they are known.")
    received: int = about("Pairs that came.")
    kept: int = about("Of them to be learnt, once their user accepts them.")
    tests: int = about("Of them that are asked by `analyze_model`, and never learnt: a fourth, chosen by the question.")
    refused: tuple[Refused, ...] = about("The rest, by reason.")
    waiting: int = about("Examples that wait in all, of this door.")
    cost_usd: float | None = about("Of the call to the teacher, where one was made and its price is known.", None)
    next: str = about("What the user is to do.", "")


@dataclass(frozen=True, slots=True)
class CategoryResult:
    """How the model does in one category."""

    category: str = about("What the questions are about.")
    tests: int = about("Questions that were asked.")
    right: int = about("Answers close to the reference.")
    success: float = about("right / tests.")
    low: float = about("Of the 95% interval of the success rate (Wilson).")
    high: float = about("Of that interval.")


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Pairs that would help."""

    category: str = about("What they should be about.")
    count: int = about("How many.")
    difficulty: str = about("How hard.")
    why: str = about("What speaks for it.")


@dataclass(frozen=True, slots=True)
class Analysis:
    """Where the model is strong, and where weak."""

    tests: int = about("Questions that were asked.")
    right: int = about("Answers close to the reference.")
    success: float | None = about("right / tests; null without test questions.")
    categories: tuple[CategoryResult, ...] = about("By category, the weakest first.")
    weak: tuple[str, ...] = about("Categories below a success rate of 0.8.")
    recommendations: tuple[Recommendation, ...] = about("What to generate.")
    estimated_improvement: float | None = about(
        "By how much the success rate rises if half of the wrong answers in weak categories become right."
    )


@dataclass(frozen=True, slots=True)
class Losses:
    """A loss before and after, in nats; null where there is none."""

    before: float | None = about("Before.")
    after: float | None = about("After.")


NO_LOSSES = Losses(None, None)


@dataclass(frozen=True, slots=True)
class Trained:
    """How a training ended, or that it was begun."""

    training: int = about("Its number.")
    state: str = about("promoted, refused, failed, cancelled; queued or running where nobody waits.")
    adapter: str | None = about("What it made, where that answers now.")
    reason: str = about("Why not, where it does not.")
    seconds: float | None = about("From the queue to the end.", None)
    router: Losses = about("Mean log-loss before each lesson, over the first and the last third.", NO_LOSSES)
    validator: Losses = about("The same of the validator.", NO_LOSSES)
    generator: Losses = about("Nats a token on what was to be learnt.", NO_LOSSES)
    hot_reload: bool = about(
        "Whether the model of this process was given the adapter without being loaded again.", False
    )
    reload_seconds: float | None = about("That this took.", None)
    success_before: float | None = about("On the test questions, before.", None)
    success_after: float | None = about("And after.", None)
