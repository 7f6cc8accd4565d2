"""Hand-made LoRA files for tiny bases: sound ones with random matrices, and others past all checks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

from shammah.adapters import hash_of
from shammah.generation import ActiveSet
from shammah.local import LocalModel
from shammah_convert.base import About, write_base
from shammah_convert.job import AdapterFile
from shammah_convert.lora import Adapter, Card, Matrix, write_lora
from shammah_convert.shape import BaseConfig, shape_of
from tests.tiny import FEED_FORWARD, HEAD_SIZE, HEADS, KV_HEADS, LAYERS, WIDTH, tiny_weights, vocabulary

BASE = BaseConfig("qwen2", WIDTH, FEED_FORWARD, LAYERS, HEADS, KV_HEADS, HEAD_SIZE, 1024, is_tied=True)
RANK = 4
UP, Q = "model.layers.0.mlp.up_proj", "model.layers.1.self_attn.q_proj"
BASE_SHA256 = "ab" * 32
CARD = Card("mine", "tiny", BASE_SHA256, "cd" * 32, "older", {"corrections": 0.9})
TOKENS = [65, 66, 67, 68]
Logits = NDArray[np.float32]
UP_A, UP_B = "blk.0.ffn_up.weight.lora_a", "blk.0.ffn_up.weight.lora_b"


def applied(model: LocalModel) -> ActiveSet:
    """What is applied to a model: names and scales."""
    return tuple((file.name, file.scale) for file in model.applied)


def make_lora(
    card: Card = CARD,
    base: BaseConfig = BASE,
    modules: Sequence[str] = (UP, Q),
    seed: int = 7,
    scale: float = 0.3,
) -> Adapter:
    """A random adapter, large enough that a tiny base's logits move by more than 0.5."""
    random = np.random.default_rng(seed)

    def pair(module: str) -> tuple[Matrix, Matrix]:
        out, inner = shape_of(base, f"{module}.weight", rows=0)
        # Files keep float16: with values that it holds, what is read is what was written.
        return (
            random.normal(0, scale, (RANK, inner)).astype(np.float16).astype(np.float32),
            random.normal(0, scale, (out, RANK)).astype(np.float16).astype(np.float32),
        )

    return Adapter(card, base.architecture, 8.0, {module: pair(module) for module in modules})


def filled(*shape: int, value: float = 0.1) -> Matrix:
    """A matrix that holds one value everywhere."""
    return np.full(shape, value, dtype=np.float32)


def write_raw(
    path: Path,
    facts: Mapping[str, str | float | None] | None = None,
    tensors: Mapping[str, Matrix | None] | None = None,
) -> None:
    """Write an adapter of one pair past all checks; a fact or a tensor that is None is left out."""
    values: dict[str, str | float | None] = {
        "general.architecture": "qwen2",
        "general.type": "adapter",
        "adapter.type": "lora",
        "adapter.lora.alpha": 8.0,
        **(facts or {}),
    }
    writer = gguf.GGUFWriter(path, str(values.pop("general.architecture")))
    for key, value in values.items():
        if isinstance(value, str):
            writer.add_string(key, value)
        elif value is not None:
            writer.add_float32(key, value)
    pair: dict[str, Matrix | None] = {UP_A: filled(RANK, WIDTH), UP_B: filled(FEED_FORWARD, RANK)}
    for name, matrix in {**pair, **(tensors or {})}.items():
        if matrix is not None:
            writer.add_tensor(name, matrix)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@dataclass(frozen=True)
class Folder:
    """A base, and the adapters a, b and c for it."""

    path: Path

    def file(self, name: str, scale: float = 1.0) -> AdapterFile:
        """An adapter as it lies there now."""
        path = self.path / f"{name}.gguf"
        return AdapterFile(name, str(path), hash_of(path), scale)

    def open(self) -> LocalModel:
        """The bare base."""
        return LocalModel(self.path / "base.gguf", gpu_layers=0)

    def fresh(self, *adapters: AdapterFile, tokens: Sequence[int] = TOKENS) -> Logits:
        """The logits of a model that never had another adapter."""
        with self.open() as model:
            model.apply(adapters)
            return model.logits(tokens)

    def merged(self, scales: dict[str, float]) -> Logits:
        """The logits of weights with the adapters added: W + scale * alpha / rank * lora_b @ lora_a."""
        weights = dict(tiny_weights("qwen2"))
        for name, scale in scales.items():
            lora = make_lora(seed=ord(name))
            for module, (lora_a, lora_b) in lora.pairs.items():
                change = scale * lora.alpha / RANK * (lora_b @ lora_a)
                weights[f"{module}.weight"] = weights[f"{module}.weight"] + change
        path = self.path / "merged.gguf"
        write_base(path, BASE, weights, vocabulary(), About("tiny", "apache-2.0"), "F32")
        with LocalModel(path, gpu_layers=0) as model:
            return model.logits(TOKENS)


def new_folder(path: Path) -> Folder:
    """Make them."""
    write_base(path / "base.gguf", BASE, tiny_weights("qwen2"), vocabulary(), About("tiny", "apache-2.0"), "F32")
    for name in "abc":
        write_lora(path / f"{name}.gguf", make_lora(Card(name, "tiny", BASE_SHA256), seed=ord(name)), BASE)
    return Folder(path)
