"""The recipe: from the corpus to a trained model. Read `train` from top to bottom."""

import logging
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import torch
from models.seedling import augment
from models.seedling import tokenizer as bpe
from models.seedling.corpus import REFUSAL, Intent
from models.seedling.recipe import minilm
from models.seedling.recipe.model import Qwen2, Shape
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from shammah_convert.chat import Message
from shammah_convert.examples import Example
from shammah_trainer.dataset import IGNORED, Encoder, Row, collate, draw

log = logging.getLogger(__name__)

SYSTEM = Message("system", "You are a helpful assistant.")
POOL_BATCHES = 16
WARM_STEPS = 40
SURE = 0.5


@dataclass(frozen=True, slots=True)
class Settings:
    """What the recipe can be told.

    Attributes:
        minutes: For the model's own loop; the mentor comes on top.
        steps: Bounds the loop instead of the minutes, where above 0.
        imagined: Made-up phrasings that the mentor labels.
        reading_share: Of the time in which the first layers alone learn to tell intents apart.
        reading_layers: How many those are; the others learn to write the answer.
        short_share: Of the batches whose answers are cut to `short_tokens`: the first line decides.
        refusal_share: Of all examples.
        long_share: Of the batches that carry a long text, which is to be refused.
        has_minilm: Whether MiniLM helps; without it the words start from noise.
        mentor_epochs: Of MiniLM's own training on the corpus; 0 trains a linear layer on it alone.
    """

    minutes: float = 47.0
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
    is_tied: bool = False
    batch: int = 128
    rate: float = 6e-3
    table_rate: float = 1e-3
    weight_decay: float = 0.05
    dropout: float = 0.1
    token_dropout: float = 0.05
    imagined: int = 40_000
    imagined_share: float = 0.25
    mentor_epochs: int = 0
    meaning_weight: float = 2.0
    guide_weight: float = 1.0
    smoothing: float = 0.2
    reading_share: float = 0.5
    reading_layers: int = 4
    short_share: float = 0.75
    short_tokens: int = 10
    refusal_share: float = 0.13
    turn_share: float = 0.08
    system_share: float = 0.03
    long_share: float = 0.01
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


@dataclass(slots=True)
class Trained:
    """A model with its tokenizer, and how its training went."""

    model: Qwen2
    tokenizer: Tokenizer
    minutes: float = 0.0
    examples: int = 0


Watch = Callable[[Trained, float], None]
"""Called every few minutes, and at the end, with the model and the share of the time that is spent."""


def train(intents: Sequence[Intent], settings: Settings, watch: Watch = lambda _, __: None) -> Trained:
    """Train a model on a corpus: tokenizer, word vectors, mentor, imagined questions, and the loop."""
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    random = Random(settings.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    words = minilm.lexicon(settings.lexicon) if settings.has_minilm else ()
    tokenizer = bpe.train(intents, words, settings.vocabulary)
    model = Qwen2(_shape(tokenizer, settings), settings.dropout)
    questions = [Question(p, index) for index, intent in enumerate(intents) for p in intent.phrasings]
    near: Mapping[str, Sequence[str]] = {}
    opinions = None
    if settings.has_minilm:
        near = _give_words_meaning(model, tokenizer, questions, words)
        questions, opinions = _ask_mentor(intents, questions, near, settings, random)
    model.to(device)
    trained = Trained(model, tokenizer)
    feed = _Feed(intents, questions, near, tokenizer, settings, random)
    _loop(trained, feed, opinions, settings, device, watch)
    return trained


def _loop(
    trained: Trained,
    feed: "_Feed",
    opinions: Opinions | None,
    settings: Settings,
    device: torch.device,
    watch: Watch,
) -> None:
    """Take steps until the time is up; the rate follows a cosine of the time spent."""
    model = trained.model
    guide = _Guide(len(feed.intents), opinions, settings).to(device)
    optimizers = _optimizers(model, guide, settings)
    # MiniLM's words stay where they are: one that training moved would lose its unseen neighbours.
    model.model.embed_tokens.weight.requires_grad_(not settings.has_minilm)
    started = watched = time.monotonic()
    batches = feed.batches()
    spent, step, total = 0.0, 0, 0.0
    while spent < 1.0:
        model.train()
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = group["peak"] * _pace(step, spent)
        rows, questions = next(batches)
        compute = _reading_loss if spent < settings.reading_share else _loss
        loss = compute(model, guide, rows, questions, settings, device)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        step += 1
        total = 0.99 * total + 0.01 * float(loss.detach())
        trained.examples += len(rows)
        trained.minutes = (time.monotonic() - started) / 60
        spent = step / settings.steps if settings.steps else trained.minutes / settings.minutes
        if time.monotonic() - watched > 120 or spent >= 1.0:
            watched = time.monotonic()
            log.info(
                "%.1f min, %d steps, %d examples, loss %.3f", trained.minutes, step, trained.examples, total
            )
            model.eval()
            watch(trained, spent)


def _reading_loss(
    model: Qwen2,
    guide: "_Guide",
    rows: Sequence[Row],
    questions: Sequence[Question],
    settings: Settings,
    device: torch.device,
) -> Tensor:
    """What the guide says of the first layers alone, on prompts alone: half the work of the whole loss."""
    prompts = [row.shortened(0) for row in rows]
    tokens = _with_holes(collate(prompts, padding=0).tokens, rows, settings.token_dropout).to(device)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        read = model.read(tokens, settings.reading_layers)
    return guide(_ends(read, rows), questions)


def _loss(
    model: Qwen2,
    guide: "_Guide",
    rows: Sequence[Row],
    questions: Sequence[Question],
    settings: Settings,
    device: torch.device,
) -> Tensor:
    """Cross entropy of the answer's tokens, and what the guide says of the first layers."""
    batch = collate(rows, padding=0)
    labels = batch.labels.roll(-1, dims=1).to(device)  # each place predicts the token after it
    labels[:, -1] = IGNORED
    with torch.autocast(device.type, dtype=torch.bfloat16):
        tokens = _with_holes(batch.tokens, rows, settings.token_dropout).to(device)
        read = model.read(tokens, settings.reading_layers)
        is_target = labels != IGNORED
        logits = model.logits(model.write(read, settings.reading_layers)[is_target])
    loss = functional.cross_entropy(logits.float(), labels[is_target])
    return loss + settings.guide_weight * guide(_ends(read, rows), questions)


def _ends(hidden: Tensor, rows: Sequence[Row]) -> Tensor:
    """The hidden states at the prompts' last tokens, (rows, width)."""
    ends = torch.tensor([row.prompt_tokens - 1 for row in rows], device=hidden.device)
    return hidden[torch.arange(len(rows), device=hidden.device), ends].float()


class _Guide(nn.Module):
    """Wants the hidden state at a prompt's end to tell the intent, and MiniLM's vector; thrown away later."""

    def __init__(self, intents: int, opinions: Opinions | None, settings: Settings) -> None:
        super().__init__()
        self._opinions, self._settings = opinions, settings
        self.norm = nn.RMSNorm(settings.width)
        self.project = nn.Linear(settings.width, minilm.WIDTH)
        self.choose = nn.Linear(minilm.WIDTH, intents)
        if opinions is not None:
            self.choose.load_state_dict(opinions.head.state_dict())

    def forward(self, ends: Tensor, questions: Sequence[Question]) -> Tensor:
        meant = functional.normalize(self.project(self.norm(ends)), dim=-1)
        choices = self.choose(meant * minilm.SHARPNESS)
        targets = torch.tensor([question.intent for question in questions], device=ends.device)
        smoothing = self._settings.smoothing
        if self._opinions is None:
            return functional.cross_entropy(choices, targets, label_smoothing=smoothing)
        places = torch.tensor([question.opinion for question in questions])
        likely = self._opinions.probabilities[places].float().to(ends.device)
        is_imagined = torch.tensor([question.is_imagined for question in questions], device=ends.device)
        truth = functional.one_hot(targets, likely.shape[1]) * (1 - smoothing) + smoothing * likely
        surprise = functional.cross_entropy(choices, torch.where(is_imagined[:, None], likely, truth))
        wanted = self._opinions.vectors[places].float().to(ends.device)
        return surprise + self._settings.meaning_weight * (1 - (meant * wanted).sum(-1)).mean()


class _Feed:
    """An endless stream of batches: questions drawn, varied, put into a conversation, encoded."""

    def __init__(
        self,
        intents: Sequence[Intent],
        questions: Sequence[Question],
        near: Mapping[str, Sequence[str]],
        tokenizer: Tokenizer,
        settings: Settings,
        random: Random,
    ) -> None:
        self.intents, self._questions, self._near = intents, questions, near
        self._encoder = Encoder(tokenizer)
        self._settings, self._random = settings, random
        self._generator = torch.Generator().manual_seed(settings.seed)
        self._weights = _weights(intents, questions, settings)
        self._refusal = next((i for i, intent in enumerate(intents) if intent.id == REFUSAL), None)

    def batches(self) -> Iterator[tuple[list[Row], list[Question]]]:
        """Batches of rows of like length, so that little is padding."""
        size = self._settings.batch
        while True:
            drawn = draw(self._weights, POOL_BATCHES * size, self._generator)
            pairs = [(self._row(self._questions[index]), self._questions[index]) for index in drawn]
            pairs.sort(key=lambda pair: len(pair[0].tokens))
            groups = [pairs[i : i + size] for i in range(0, len(pairs), size)]
            self._random.shuffle(groups)
            for group in groups:
                yield self._cut([row for row, _ in group]), [question for _, question in group]
                if self._refusal is not None and self._random.random() < self._settings.long_share:
                    yield self._long_texts()

    def _cut(self, rows: list[Row]) -> list[Row]:
        if self._random.random() < self._settings.short_share:
            return [row.shortened(self._settings.short_tokens) for row in rows]
        return rows

    def _row(self, question: Question) -> Row:
        intent = self.intents[question.intent]
        text = augment.vary(question.text, self._random, self._near)
        return self._encoder.row(_example((*self._before(), Message("user", text)), intent.answer))

    def _before(self) -> Iterator[Message]:
        """A system message, an earlier turn, or mostly nothing."""
        if self._random.random() < self._settings.system_share:
            yield SYSTEM
        if self._random.random() < self._settings.turn_share:
            intent = self._random.choice(self.intents)
            yield Message("user", augment.vary(self._random.choice(intent.phrasings), self._random))
            yield Message("assistant", intent.answer)

    def _long_texts(self) -> tuple[list[Row], list[Question]]:
        """A few long texts of many sentences: nothing that one command answers."""
        assert self._refusal is not None
        refusal = self.intents[self._refusal].answer
        texts = [
            self._random.choice((" ", "\n", ". ")).join(
                q.text for q in self._random.sample(self._questions, self._random.randint(5, 25))
            )
            for _ in range(8)
        ]
        rows = [self._encoder.row(_example((Message("user", text),), refusal)) for text in texts]
        like = next(question for question in self._questions if question.intent == self._refusal)
        return rows, [like] * len(rows)


def _example(prompt: tuple[Message, ...], answer: str) -> Example:
    return Example("", prompt, (Message("assistant", answer),), None, 1.0, "teach", "")


def _give_words_meaning(
    model: Qwen2, tokenizer: Tokenizer, questions: Sequence[Question], lexicon: Sequence[str]
) -> Mapping[str, Sequence[str]]:
    """Set each token's embedding to MiniLM's vector of the word it spells; return words of like meaning."""
    embedder = minilm.MiniLM()
    pieces = [tokenizer.decode([token]).strip() for token in range(tokenizer.get_vocab_size())]
    named = {token: piece.lower() for token, piece in enumerate(pieces) if piece and "\ufffd" not in piece}
    words = sorted({*named.values(), *lexicon})
    vectors = embedder.embed(words)
    place = {word: index for index, word in enumerate(words)}
    chosen = vectors[[place[word] for word in named.values()]]
    if model.shape.width < minilm.WIDTH:
        chosen = _principal(chosen, model.shape.width)
    with torch.no_grad():
        # Rows of MiniLM are unit vectors; this gives each number a standard deviation of about 0.1.
        scale = 0.1 * math.sqrt(model.shape.width)
        model.model.embed_tokens.weight.normal_(std=0.1)
        model.model.embed_tokens.weight[list(named)] = functional.normalize(chosen, dim=-1) * scale
    asked = sorted({word for question in questions for word in question.text.split() if word.isalpha()})
    whole = [word for word in words if re.fullmatch("[a-z]{3,}", word) and word in {*lexicon, *asked}]
    return minilm.neighbours(whole, vectors[[place[word] for word in whole]], asked)


def _principal(vectors: Tensor, width: int) -> Tensor:
    """The first principal components of vectors."""
    _, _, basis = torch.linalg.svd(vectors - vectors.mean(0), full_matrices=False)
    return vectors @ basis[:width].T


def _ask_mentor(
    intents: Sequence[Intent],
    questions: Sequence[Question],
    near: Mapping[str, Sequence[str]],
    settings: Settings,
    random: Random,
) -> tuple[list[Question], Opinions]:
    """Teach the mentor the corpus, imagine more questions, and let it say what it thinks of all."""
    started = time.monotonic()
    embedder = minilm.MiniLM()
    if torch.cuda.is_available():
        embedder.bert.cuda()
    mentor = minilm.Mentor(embedder, len(intents))
    texts = [question.text for question in questions]
    targets = torch.tensor([question.intent for question in questions])
    mentor.fit(texts, targets, settings.mentor_epochs, settings.seed)
    log.info("mentor fitted after %.1f min", (time.monotonic() - started) / 60)
    imagined = [_imagine(questions, near, random) for _ in range(settings.imagined)]
    vectors, probabilities = mentor.opinions([*texts, *imagined])
    log.info("mentor asked after %.1f min", (time.monotonic() - started) / 60)
    asked = [Question(q.text, q.intent, index) for index, q in enumerate(questions)]
    for index, text in enumerate(imagined, start=len(texts)):
        share, chosen = probabilities[index].float().max(-1)
        if float(share) >= SURE:
            asked.append(Question(text, int(chosen), index, is_imagined=True))
    return asked, Opinions(vectors, probabilities, mentor.head.cpu())


def _imagine(questions: Sequence[Question], near: Mapping[str, Sequence[str]], random: Random) -> str:
    """A question that nobody wrote: reworded, or two put together."""
    question = random.choice(questions)
    if random.random() < 0.2:
        return augment.crossed(question.text, random.choice(questions).text, random)
    return augment.reworded(question.text, random, near, share=random.choice((0.15, 0.3, 0.5)))


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


def _with_holes(tokens: Tensor, rows: Sequence[Row], share: float) -> Tensor:
    """Blank a share of the prompt's tokens, so that no single word decides."""
    # Three tokens frame the question's beginning and six its end; they stay.
    ends = torch.tensor([row.prompt_tokens for row in rows])[:, None]
    place = torch.arange(tokens.shape[1])[None]
    is_hole = (torch.rand(tokens.shape) < share) & (place >= 3) & (place < ends - 5)
    return tokens.masked_fill(is_hole, 0)


def _optimizers(model: Qwen2, guide: nn.Module, settings: Settings) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices, AdamW for all else."""
    layers = [p for p in model.model.layers.parameters() if p.ndim == 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    tables = list({id(p): p for p in (model.model.embed_tokens.weight, model.lm_head.weight)}.values())
    muon = torch.optim.Muon(
        layers, lr=settings.rate, weight_decay=settings.weight_decay, adjust_lr_fn="match_rms_adamw"
    )
    adam = torch.optim.AdamW(
        [{"params": [*vectors, *guide.parameters()]}, {"params": tables}],
        lr=settings.table_rate,
        betas=(0.9, 0.98),
        weight_decay=0.0,
    )
    optimizers: list[torch.optim.Optimizer] = [muon, adam]
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["peak"] = group["lr"]
    return optimizers


def _pace(step: int, spent: float) -> float:
    return min(1.0, (step + 1) / WARM_STEPS) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, spent))))


def _shape(tokenizer: Tokenizer, settings: Settings) -> Shape:
    return Shape(
        tokens=tokenizer.get_vocab_size(),
        width=settings.width,
        layers=settings.layers,
        heads=settings.heads,
        kv_heads=settings.kv_heads,
        feed_forward=settings.feed_forward,
        is_tied=settings.is_tied,
    )
