"""The recipe: from the corpus to a trained model. Read `train` from top to bottom."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import nn

from models.seedling import tokenizer as bpe
from models.seedling.phrasings import Intent
from models.seedling.recipe import knowledge, minilm
from models.seedling.recipe.feed import Batches, Feed
from models.seedling.recipe.handover import hand_over
from models.seedling.recipe.hush import hush
from models.seedling.recipe.losses import Guide, Losses
from models.seedling.recipe.model import Qwen2, Shape
from models.seedling.recipe.records import Known, Settings
from shammah_convert.chat import completion_segments
from shammah_trainer.dataset import Encoder

log = logging.getLogger(__name__)

WARM_STEPS = 40
WATCH_SECONDS = 120


@dataclass(slots=True)
class Trained:
    """A model with its tokenizer, and how its training went."""

    model: Qwen2
    tokenizer: Tokenizer
    minutes: float = 0.0
    examples: int = 0


Watch = Callable[[Trained], None]
"""Called every few minutes, and at the end, with the model as it is."""


def train(intents: Sequence[Intent], settings: Settings, watch: Watch = lambda _: None) -> Trained:
    """Train a model on a corpus: tokenizer, word vectors, mentor, and the loop."""
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    words = minilm.lexicon(settings.lexicon) if settings.has_minilm else ()
    tokenizer = bpe.train(intents, words, settings.vocabulary)
    model = Qwen2(_shape(tokenizer, settings))
    known = knowledge.plain(intents)
    if settings.has_minilm:
        neighbours = knowledge.give_words_meaning(model, tokenizer, intents, words)
        known = knowledge.with_mentor(intents, neighbours, settings)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    trained = Trained(model, tokenizer)
    _loop(trained, intents, known, settings, watch)
    return trained


def _loop(trained: Trained, intents: Sequence[Intent], known: Known, settings: Settings, watch: Watch) -> None:
    """Take steps until the time is up: first to read questions, then to write their answers."""
    model, encoder = trained.model, Encoder(trained.tokenizer)
    guide = Guide(len(intents), known.opinions, settings).to(model.lm_head.weight.device)
    answers = [encoder.tokens(completion_segments(intent.answer)) for intent in intents]
    losses = Losses(model, guide, answers, settings)
    optimizers = _optimizers(model, guide, settings)
    # MiniLM's words stay where they are: one that training moved would lose its unseen neighbours.
    model.model.embed_tokens.weight.requires_grad_(not settings.has_minilm)
    batches = Feed(intents, known, encoder, settings).batches()
    started = watched = time.monotonic()
    spent, is_reading = 0.0, settings.reading_share > 0.0
    for step, (prompts, questions) in enumerate(batches):
        _set_rates(optimizers, _pace(step, spent, settings.reading_share))
        loss = (losses.of_reading if is_reading else losses.of_answering)(prompts, questions)
        _descend(loss, model.parameters(), optimizers)
        trained.examples += len(prompts)
        trained.minutes = (time.monotonic() - started) / 60
        spent = (step + 1) / settings.steps if settings.steps else trained.minutes / settings.minutes
        if is_reading and spent >= settings.reading_share:
            is_reading = False
            hand_over(model, guide, _ends(losses, batches, settings), settings.reading_layers)
        if time.monotonic() - watched > WATCH_SECONDS or spent >= 1.0:
            watched = time.monotonic()
            log.info("%.1f min, %d examples, loss %.3f", trained.minutes, trained.examples, loss.item())
            hush(model.lm_head.weight, losses.answer_tokens)
            watch(trained)
        if spent >= 1.0:
            return


@torch.no_grad()
def _ends(losses: Losses, batches: Batches, settings: Settings) -> torch.Tensor:
    """What the reading layers make of the ends of many prompts, (prompts, width)."""
    count = settings.hand_over_examples // settings.batch
    return torch.cat([losses.ends(prompts) for prompts, _ in islice(batches, max(1, count))])


def _descend(
    loss: torch.Tensor, parameters: Iterable[nn.Parameter], optimizers: Iterable[torch.optim.Optimizer]
) -> None:
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(parameters, 1.0)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()


def _set_rates(optimizers: Iterable[torch.optim.Optimizer], pace: float) -> None:
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["lr"] = group["peak"] * pace


def _optimizers(model: Qwen2, guide: nn.Module, settings: Settings) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices, AdamW for all else."""
    matrices = [p for p in model.model.layers.parameters() if p.ndim == 2]
    are_matrices = {id(p) for p in matrices}
    others = [p for p in [*model.parameters(), *guide.parameters()] if id(p) not in are_matrices]
    scores = model.lm_head.weight
    others = [p for p in others if p is not scores]
    # With this option a rate means about the same as AdamW's.
    muon = torch.optim.Muon(
        matrices, lr=settings.rate, weight_decay=settings.weight_decay, adjust_lr_fn="match_rms_adamw"
    )
    groups: list[dict[str, Any]] = [{"params": others}, {"params": [scores], "lr": settings.output_rate}]
    adam = torch.optim.AdamW(groups, lr=settings.other_rate, betas=(0.9, 0.98), weight_decay=0.0)
    optimizers: list[torch.optim.Optimizer] = [muon, adam]
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["peak"] = group["lr"]
    return optimizers


def _pace(step: int, spent: float, reading_share: float) -> float:
    """A short warm-up, then a cosine in each of the two parts of the time."""
    part = spent / reading_share if spent < reading_share else (spent - reading_share) / (1 - reading_share)
    return min(1.0, (step + 1) / WARM_STEPS) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, part))))


def _shape(tokenizer: Tokenizer, settings: Settings) -> Shape:
    return Shape(
        tokens=tokenizer.get_vocab_size(),
        width=settings.width,
        layers=settings.layers,
        heads=settings.heads,
        kv_heads=settings.kv_heads,
        feed_forward=settings.feed_forward,
    )
