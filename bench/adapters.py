"""What an adapter costs: applying one to a running model beside opening the model again, and writing one."""

import tempfile
import time
from pathlib import Path

import numpy as np

from bench.measure import Row, alternate, watching
from shammah import adapters
from shammah.local import LocalModel
from shammah_convert.job import AdapterFile
from shammah_convert.lora import TARGETS, Adapter, Card, write_lora
from shammah_convert.opened import OpenBase
from shammah_convert.shape import BaseConfig, shape_of

RANK, ALPHA = 16, 32.0
MOST_OF_REOPENING = 0.1
MOST_WRITE_SECONDS = 1.0


def measure(name: str, model_file: Path, rounds: int, threads: int) -> list[Row]:
    """Applying an adapter of rank 16 on all projections, checked by its hash; and writing it as a GGUF."""
    config = OpenBase(model_file).config
    with tempfile.TemporaryDirectory() as folder, watching() as others:
        adapter, path = random_adapter(config), Path(folder) / "adapter.gguf"
        writes = [_seconds_to_write(path, adapter, config) for _ in range(rounds)]
        file = AdapterFile("random", str(path), adapters.hash_of(path))
        with LocalModel(model_file, threads) as model:
            model.logits([0])  # a context is open, as in a process that answers
            pairs = alternate(
                lambda: _seconds_to_apply(model, file), lambda: _seconds_to_reopen(model_file, threads, file), rounds
            )
    applied, reopened = sorted(pairs.ours)[rounds // 2] * 1000, sorted(pairs.theirs)[rounds // 2] * 1000
    return [
        Row(
            name=f"apply an adapter, {name}",
            value=pairs.ratio,
            low=min(pairs.ratios),
            high=max(pairs.ratios),
            unit="x",
            aim=f"<= {MOST_OF_REOPENING:g}",
            is_reached=pairs.ratio <= MOST_OF_REOPENING,
            detail=f"{applied:.1f} ms beside {reopened:.1f} ms to open the model with it",
            others=others.cores,
        ),
        Row(
            name=f"LoRA -> GGUF, {name}",
            value=sorted(writes)[rounds // 2] * 1000,
            low=min(writes) * 1000,
            high=max(writes) * 1000,
            unit="ms",
            aim=f"< {MOST_WRITE_SECONDS * 1000:g}",
            is_reached=sorted(writes)[rounds // 2] < MOST_WRITE_SECONDS,
            detail=f"rank {RANK} on all projections, on the disk",
            others=others.cores,
        ),
    ]


def random_adapter(config: BaseConfig) -> Adapter:
    """An adapter of rank 16 on every projection, with random matrices."""
    random = np.random.default_rng(0)
    pairs = {}
    for layer in range(config.layers):
        for target in TARGETS:
            part = "self_attn" if target in TARGETS[:4] else "mlp"
            module = f"model.layers.{layer}.{part}.{target}"
            out, inner = shape_of(config, f"{module}.weight", rows=0)
            pairs[module] = (
                random.normal(0, 0.01, (RANK, inner)).astype(np.float32),
                random.normal(0, 0.01, (out, RANK)).astype(np.float32),
            )
    return Adapter(Card("random", "random", "0" * 64), config.architecture, ALPHA, pairs)


def _seconds_to_write(path: Path, adapter: Adapter, config: BaseConfig) -> float:
    start = time.perf_counter()
    write_lora(path, adapter, config)
    return time.perf_counter() - start


def _seconds_to_apply(model: LocalModel, file: AdapterFile) -> float:
    model.apply([])
    start = time.perf_counter()
    adapters.verify(file)
    model.apply([file])
    return time.perf_counter() - start


def _seconds_to_reopen(model_file: Path, threads: int, file: AdapterFile) -> float:
    start = time.perf_counter()
    with LocalModel(model_file, threads) as model:
        model.apply([file])
        return time.perf_counter() - start
