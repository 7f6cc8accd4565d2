"""What MiniLM knows of words and questions, brought to the seedling before its training."""

import logging
import math
import re
from collections.abc import Mapping, Sequence
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from models.seedling import augment
from models.seedling.phrasings import Intent
from models.seedling.recipe import minilm
from models.seedling.recipe.model import Qwen2
from models.seedling.recipe.records import Known, Opinions, Question, Settings

log = logging.getLogger(__name__)

SURE = 0.5
"""An imagined question of which the mentor is less sure is dropped."""

CROSSED_SHARE = 0.2
WORD_SCALE = 0.1
"""The standard deviation of a number in a word's vector."""


def plain(intents: Sequence[Intent]) -> Known:
    """The phrasings as they stand, without any help."""
    questions = tuple(Question(p, index) for index, intent in enumerate(intents) for p in intent.phrasings)
    return Known(questions, {}, None)


def with_mentor(intents: Sequence[Intent], neighbours: Mapping[str, Sequence[str]], settings: Settings) -> Known:
    """Teach the mentor the corpus, imagine more questions, and let it say what it thinks of all."""
    random = Random(settings.seed)
    written = plain(intents).questions
    texts = [question.text for question in written]
    targets = torch.tensor([question.intent for question in written])
    mentor = minilm.Mentor(minilm.MiniLM(), len(intents))
    mentor.fit(texts, targets, settings.mentor_epochs, settings.seed)
    log.info("the mentor knows the corpus")
    imagined = [_imagine(texts, neighbours, random) for _ in range(settings.imagined)]
    vectors, probabilities = mentor.opinions([*texts, *imagined])
    log.info("the mentor has an opinion of every question")
    questions = [Question(q.text, q.intent, index) for index, q in enumerate(written)]
    for index, text in enumerate(imagined, start=len(texts)):
        share, chosen = probabilities[index].float().max(-1)
        if float(share) >= SURE:
            questions.append(Question(text, int(chosen), index, is_imagined=True))
    return Known(tuple(questions), neighbours, Opinions(vectors, probabilities, mentor.head.cpu()))


def give_words_meaning(
    model: Qwen2, tokenizer: Tokenizer, intents: Sequence[Intent], lexicon: Sequence[str]
) -> Mapping[str, Sequence[str]]:
    """Set each token's embedding to MiniLM's vector of the word it spells; return words of like meaning."""
    pieces = [tokenizer.decode([token]).strip() for token in range(tokenizer.get_vocab_size())]
    named = {token: piece.lower() for token, piece in enumerate(pieces) if piece and "\ufffd" not in piece}
    words = sorted({*named.values(), *lexicon})
    vectors = minilm.MiniLM().embed(words)
    place = {word: index for index, word in enumerate(words)}
    _set_embedding(model, list(named), vectors[[place[word] for word in named.values()]])
    asked = {word for intent in intents for phrasing in intent.phrasings for word in phrasing.split()}
    whole = [word for word in words if re.fullmatch("[a-z]{3,}", word) and word in {*lexicon, *asked}]
    return minilm.neighbours(whole, vectors[[place[word] for word in whole]], sorted(asked))


def _set_embedding(model: Qwen2, tokens: Sequence[int], vectors: Tensor) -> None:
    width, embedding = model.shape.width, model.model.embed_tokens.weight
    if width < minilm.WIDTH:
        vectors = _principal(vectors, width)
    with torch.no_grad():
        embedding.normal_(std=WORD_SCALE)
        embedding[list(tokens)] = functional.normalize(vectors, dim=-1) * WORD_SCALE * math.sqrt(width)


def _principal(vectors: Tensor, width: int) -> Tensor:
    """The first principal components of vectors."""
    _, _, basis = torch.linalg.svd(vectors - vectors.mean(0), full_matrices=False)
    components: Tensor = vectors @ basis[:width].T
    return components


def _imagine(texts: Sequence[str], neighbours: Mapping[str, Sequence[str]], random: Random) -> str:
    """A question that nobody wrote: two put together, or one reworded."""
    text = random.choice(texts)
    if random.random() < CROSSED_SHARE:
        return augment.crossed(text, random.choice(texts), random)
    return augment.reworded(text, random, neighbours, share=random.choice((0.15, 0.3, 0.5)))
