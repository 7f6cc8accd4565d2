"""What the five tools are asked, as frozen records; their JSON schemas are what Claude, MCP and HTTP clients see."""

from dataclasses import dataclass
from typing import Literal

from shammah.teaching.schema import about

Category = Literal["code", "math", "science", "architecture", "security", "performance", "general", "greeting", "other"]
"""What a question can be about: the topics that sampling knows (`topics.Topic`)."""
Difficulty = Literal["easy", "medium", "hard"]

LONGEST_QUESTION, LONGEST_ANSWER = 4000, 8000
MOST_PAIRS = 50


@dataclass(frozen=True, slots=True)
class QueryLocalModel:
    """Ask the local model a question, and see how far its answer can be trusted."""

    question: str = about("What to ask, as a user would.", minLength=1, maxLength=20_000)
    max_tokens: int = about("The longest answer, in tokens.", 512, minimum=1, maximum=8192)
    asks_twice: bool = about("Also draw a second answer, to see whether the model agrees with itself.", True)


@dataclass(frozen=True, slots=True)
class CompareResponses:
    """See the local model's answer beside a better one, and how far they are apart."""

    question: str = about("What to ask both.", minLength=1, maxLength=20_000)
    reference: str | None = about(
        "The answer to compare with; without one, the teacher is asked, within the budget.", None, maxLength=100_000
    )


@dataclass(frozen=True, slots=True)
class GivenPair:
    """A question with the answer that the local model is to learn."""

    question: str = about("As a user would type it.", minLength=1, maxLength=LONGEST_QUESTION)
    answer: str = about(
        "What the model is to say, word for word: right, whole and short.", minLength=1, maxLength=LONGEST_ANSWER
    )


@dataclass(frozen=True, slots=True)
class GenerateTrainingData:
    """Make question-and-answer pairs for the local model; they wait until its user accepts them."""

    category: Category = about("What they are about.")
    count: int = about("How many are wanted.", 10, minimum=1, maximum=MOST_PAIRS)
    difficulty: Difficulty = about("How hard the questions are.", "medium")
    focus: str = about("What to dwell on, in a few words.", "", maxLength=400)
    pairs: tuple[GivenPair, ...] = about(
        "The pairs themselves, where you write them; without any, the teacher is asked, within the budget.",
        (),
        maxItems=MOST_PAIRS,
    )


@dataclass(frozen=True, slots=True)
class AnalyzeModel:
    """Ask the local model test questions that it never learns from; where it is weak, and what to do about it."""

    categories: tuple[Category, ...] = about("Only these; without any, all that have test questions.", ())
    most: int = about("Test questions of each category, at most.", 10, minimum=1, maximum=100)


@dataclass(frozen=True, slots=True)
class Train:
    """Train the local model on all that it is to learn; a better adapter answers from then on, without a restart."""

    wait: bool = about("Wait for the end, with all figures (not over HTTP); else it runs in the background.", True)
