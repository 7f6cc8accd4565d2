"""What the parts of the recipe hand to each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Settings:
    """What the recipe can be told.

    Attributes:
        minutes: For the model's own loop; the mentor comes on top.
        steps: Bounds the loop instead of the minutes, where above 0.
        imagined: Made-up phrasings that the mentor labels.
        reading_share: Of the time in which the first layers alone learn to tell intents apart.
        reading_layers: How many those are; the others learn to write the answer.
        hand_over_examples: Prompts on which the first of those others learns what the reading layers decide.
        token_dropout: Of a question's tokens, blanked.
        short_share: Of the batches whose answers are cut to `short_tokens`: the first line decides.
        refusal_share: Of all examples.
        long_share: Of the batches that carry a long text, which is to be refused.
        has_minilm: Whether MiniLM helps; without it the words start from noise.
        mentor_epochs: Of MiniLM's own training on the corpus; 0 trains a linear layer on it alone.
    """

    minutes: float = 50.0
    steps: int = 0
    threads: int = 2
    seed: int = 1
    vocabulary: int = 13000
    lexicon: int = 6000
    width: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    feed_forward: int = 768
    batch: int = 128
    rate: float = 6e-3
    other_rate: float = 1e-3
    output_rate: float = 3e-3
    weight_decay: float = 0.05
    token_dropout: float = 0.1
    imagined: int = 40_000
    imagined_share: float = 0.25
    mentor_epochs: int = 0
    meaning_weight: float = 2.0
    smoothing: float = 0.2
    reading_share: float = 0.55
    reading_layers: int = 4
    hand_over_examples: int = 32_000
    short_share: float = 0.7
    short_tokens: int = 14
    refusal_share: float = 0.18
    turn_share: float = 0.12
    system_share: float = 0.03
    long_share: float = 0.08
    has_minilm: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """A text to answer.

    Attributes:
        intent: What it asks for; the mentor's best guess where nobody wrote the question.
        opinion: Its row in the mentor's opinions, where there are some.
        is_imagined: Whether nobody wrote it.
    """

    text: str
    intent: int
    opinion: int = 0
    is_imagined: bool = False


@dataclass(frozen=True, slots=True)
class Opinions:
    """What the mentor thinks of every question: unit vectors (n, 384), and intents' probabilities (n, intents)."""

    vectors: Tensor
    probabilities: Tensor
    head: nn.Linear


@dataclass(frozen=True, slots=True)
class Known:
    """What the training draws from.

    Attributes:
        questions: The phrasings, then the imagined questions.
        neighbours: Words of like meaning, by word.
        opinions: The mentor's, where there is one.
    """

    questions: tuple[Question, ...]
    neighbours: Mapping[str, Sequence[str]]
    opinions: Opinions | None
