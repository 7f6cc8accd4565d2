"""The stream of batches: prompts drawn, varied, put into a conversation, encoded."""

from collections.abc import Iterator, Sequence
from random import Random

import torch

from models.seedling import augment
from models.seedling.phrasings import REFUSAL, Intent
from models.seedling.recipe.records import Known, Question, Settings
from shammah_convert.chat import ChatFormat, Message, prompt_segments
from shammah_trainer.dataset import Encoder, Row, draw

SYSTEM = Message("system", "You are a helpful assistant.")
PLAIN = ChatFormat()
POOL_BATCHES = 16

Batches = Iterator[tuple[list[Row], list[Question]]]


class Feed:
    """An endless stream of batches: prompts drawn, varied, put into a conversation, encoded."""

    def __init__(self, intents: Sequence[Intent], known: Known, encoder: Encoder, settings: Settings) -> None:
        self._intents, self._questions, self._near = intents, known.questions, known.neighbours
        self._encoder, self._settings = encoder, settings
        self._random = Random(settings.seed)
        self._generator = torch.Generator().manual_seed(settings.seed)
        self._weights = _weights(intents, known.questions, settings)
        self._refusal = next((i for i, intent in enumerate(intents) if intent.id == REFUSAL), None)

    def batches(self) -> Batches:
        """Batches of rows of like length, so that little is padding."""
        size = self._settings.batch
        while True:
            drawn = draw(self._weights, POOL_BATCHES * size, self._generator)
            pairs = [(self._prompt(self._questions[index]), self._questions[index]) for index in drawn]
            pairs.sort(key=lambda pair: pair[0].prompt_tokens)
            groups = [pairs[i : i + size] for i in range(0, len(pairs), size)]
            self._random.shuffle(groups)
            for group in groups:
                yield [prompt for prompt, _ in group], [question for _, question in group]
                if self._refusal is not None and self._random.random() < self._settings.long_share:
                    yield self._long_texts()

    def _prompt(self, question: Question) -> Row:
        text = augment.vary(question.text, self._random, self._near)
        return self._encoded((*self._before(), Message("user", text)))

    def _before(self) -> Iterator[Message]:
        """A system message, an earlier turn, or mostly nothing."""
        if self._random.random() < self._settings.system_share:
            yield SYSTEM
        if self._random.random() < self._settings.turn_share:
            intent = self._random.choice(self._intents)
            yield Message("user", augment.vary(self._random.choice(intent.phrasings), self._random))
            yield Message("assistant", intent.answer)

    def _long_texts(self) -> tuple[list[Row], list[Question]]:
        """A few long texts of many sentences: nothing that one command answers."""
        texts = [
            self._random.choice((" ", "\n", ". ")).join(
                q.text for q in self._random.sample(self._questions, self._random.randint(5, 60))
            )
            for _ in range(8)
        ]
        prompts = [self._encoded((Message("user", text),)) for text in texts]
        like = next(question for question in self._questions if question.intent == self._refusal)
        return prompts, [like] * len(prompts)

    def _encoded(self, messages: tuple[Message, ...]) -> Row:
        tokens = self._encoder.tokens(prompt_segments(messages, PLAIN))
        return Row(tuple(tokens), len(tokens))


def _weights(intents: Sequence[Intent], questions: Sequence[Question], settings: Settings) -> list[float]:
    """Every intent alike, but the refusal; imagined questions alike."""
    real = sum(len(intent.phrasings) for intent in intents)
    refusals = settings.refusal_share if any(intent.id == REFUSAL for intent in intents) else 0.0
    share = {i: (1 - refusals) / max(1, len(intents) - bool(refusals)) for i in range(len(intents))}
    share |= {i: refusals for i, intent in enumerate(intents) if refusals and intent.id == REFUSAL}
    made_up = len(questions) - real
    of_real = 1 - settings.imagined_share if made_up else 1.0
    weights = [of_real * share[q.intent] / len(intents[q.intent].phrasings) for q in questions[:real]]
    return weights + [settings.imagined_share / max(1, made_up)] * made_up
