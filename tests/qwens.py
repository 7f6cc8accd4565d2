"""Random Qwens of every kind that is trained, with a vocabulary that merges words: real files, made in a moment."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.seedling import tokenizer as bpe
from models.seedling.phrasings import Intent
from shammah_convert.base import About, Quantization, write_base
from shammah_convert.names import hf_names
from shammah_convert.shape import BaseConfig, shape_of
from shammah_convert.vocabulary import Vocabulary

WIDTH, FEED_FORWARD, LAYERS, HEADS, KV_HEADS = 64, 96, 2, 4, 2
FILLERS = 5
"""Rows of the embedding beyond the tokens, as real Qwens have them."""

DEFINED = ("<think>", "</think>", "<tool_call>")
THINKING_TEMPLATE = "{% if enable_thinking %}<think>{% endif %}"
_SPOKEN = ("list all the files, please", "what's new here?", "find . -name '*.txt' | xargs rm -f", "Caf\u00e9 1234")


@cache
def tokenizer_json() -> str:
    """The tokenizer, as Hugging Face keeps it."""
    tokenizer = bpe.train([Intent("x", "x", "ls -la\nLists files.", (), _SPOKEN)], ["list", "files", "think"], 400)
    return str(tokenizer.to_str())


@cache
def vocabulary(architecture: str = "qwen2") -> Vocabulary:
    """Some 400 tokens; Qwen3's has marks that are matched in every text."""
    plain = Vocabulary.from_tokenizer_json(tokenizer_json())
    if architecture == "qwen2":
        return plain
    return replace(plain, tokens=(*plain.tokens, *DEFINED), defined=frozenset(DEFINED))


@dataclass(frozen=True, slots=True)
class Kind:
    """Which random Qwen: Qwen2 with heads that share out the width, Qwen3 with wider ones."""

    architecture: Literal["qwen2", "qwen3"] = "qwen2"
    quantization: Quantization = "F16"
    is_tied: bool = True

    def __str__(self) -> str:
        return f"{self.architecture}-{self.quantization}-{'tied' if self.is_tied else 'untied'}"

    @property
    def config(self) -> BaseConfig:
        """Its shape."""
        return BaseConfig(
            self.architecture,
            WIDTH,
            FEED_FORWARD,
            LAYERS,
            HEADS,
            KV_HEADS,
            head_size=WIDTH // HEADS if self.architecture == "qwen2" else 32,
            context_tokens=512,
            rope_theta=1_000_000.0,
            rms_epsilon=1e-6,
            is_tied=self.is_tied,
        )

    @property
    def rows(self) -> int:
        """Of its embedding."""
        return len(vocabulary(self.architecture).tokens) + FILLERS

    def weights(self, seed: int = 0) -> dict[str, NDArray[np.float32]]:
        """By Hugging Face name; norms and biases matter too."""
        random = np.random.default_rng(seed)
        weights = {}
        for name in hf_names(self.architecture, LAYERS, self.is_tied):
            shape = shape_of(self.config, name, self.rows)
            values = random.uniform(0.5, 1.5, shape) if len(shape) == 1 else random.normal(0, 0.2, shape)
            weights[name] = values.astype(np.float32)
        return weights

    def write(self, path: Path, seed: int = 0) -> Path:
        """Write it as a GGUF file."""
        template = THINKING_TEMPLATE if self.architecture == "qwen3" else ""
        about = About("random qwen", "apache-2.0", chat_template=template)
        write_base(path, self.config, self.weights(seed), vocabulary(self.architecture), about, self.quantization)
        return path


KINDS = (
    Kind("qwen2", "F16", is_tied=True),
    Kind("qwen2", "Q8_0", is_tied=False),
    Kind("qwen3", "F16", is_tied=False),
    Kind("qwen3", "Q8_0", is_tied=True),
)
