"""An adapter file is what llama.cpp runs, and every file that it should not run is refused by name."""

import ctypes
import math
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import llama_cpp as ll
import numpy as np
import pytest

from shammah.local import LocalModel
from shammah_convert.base import About, BaseConfig, write_base
from shammah_convert.lora import (
    Adapter,
    BadAdapter,
    BadValues,
    Card,
    NoAdapterFile,
    WrongBase,
    WrongKind,
    WrongTensors,
    read_lora,
    write_lora,
)
from tests.tiny import FEED_FORWARD, HEAD_SIZE, HEADS, KV_HEADS, LAYERS, WIDTH, tiny_weights, vocabulary

BASE = BaseConfig("qwen2", WIDTH, FEED_FORWARD, LAYERS, HEADS, KV_HEADS, HEAD_SIZE, 1024, is_tied=True)
RANK = 4
UP, Q = "model.layers.0.mlp.up_proj", "model.layers.1.self_attn.q_proj"


def adapter(scale: float = 0.3) -> Adapter:
    random = np.random.default_rng(7)

    def pair(out: int, inner: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        return (
            random.normal(0, scale, (RANK, inner)).astype(np.float32),
            random.normal(0, scale, (out, RANK)).astype(np.float32),
        )

    card = Card("mine", "tiny", "ab" * 32, "cd" * 32, "older", {"corrections": 0.9})
    return Adapter(card, "qwen2", 8.0, {UP: pair(FEED_FORWARD, WIDTH), Q: pair(HEADS * HEAD_SIZE, WIDTH)})


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    before = adapter()
    write_lora(tmp_path / "a.gguf", before, BASE)
    after = read_lora(tmp_path / "a.gguf", BASE)
    assert (after.card, after.architecture, after.alpha) == (before.card, "qwen2", 8.0)
    assert after.pairs.keys() == before.pairs.keys()
    for module, pair in before.pairs.items():
        for mine, theirs in zip(pair, after.pairs[module], strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_llama_cpp_applies_it_as_if_it_were_merged_into_the_weights(tmp_path: Path) -> None:
    weights = tiny_weights("qwen2")
    lora = adapter()
    merged = dict(weights)
    for module, (lora_a, lora_b) in lora.pairs.items():
        merged[f"{module}.weight"] = weights[f"{module}.weight"] + lora.alpha / RANK * (lora_b @ lora_a)
    for name, tensors in (("base", weights), ("merged", merged)):
        write_base(tmp_path / f"{name}.gguf", BASE, tensors, vocabulary(), About(name, "apache-2.0"), "F32")
    write_lora(tmp_path / "a.gguf", lora, BASE)
    tokens = [65, 66, 67, 68]
    with LocalModel(tmp_path / "base.gguf", gpu_layers=0) as model:
        plain = model.logits(tokens)
        _apply(model, tmp_path / "a.gguf")
        applied = model.logits(tokens)
    with LocalModel(tmp_path / "merged.gguf", gpu_layers=0) as model:
        wanted = model.logits(tokens)
    assert np.abs(wanted - plain).max() > 0.5, "the adapter moves the logits"
    np.testing.assert_allclose(applied, wanted, atol=1e-3)


def _apply(model: LocalModel, path: Path) -> None:
    """Set an adapter through the bare C interface."""
    handle = ll.llama_adapter_lora_init(model._model, str(path).encode())
    assert handle, "llama.cpp loads the file"
    adapters = (ll.llama_adapter_lora_p_ctypes * 1)(handle)
    assert ll.llama_set_adapters_lora(model._context, adapters, 1, (ctypes.c_float * 1)(1.0)) == 0


Change = Callable[[Adapter], Adapter]


def with_pair(module: str, a: tuple[int, ...], b: tuple[int, ...], value: float = 0.1) -> Change:
    pair = (np.full(a, value, dtype=np.float32), np.full(b, value, dtype=np.float32))
    return lambda lora: replace(lora, pairs={**lora.pairs, module: pair})


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda lora: replace(lora, architecture="qwen3"), WrongBase, "qwen3"),
        (lambda lora: replace(lora, alpha=math.nan), BadValues, "alpha is nan"),
        (lambda lora: replace(lora, alpha=0.0), BadValues, "alpha is 0"),
        (lambda lora: replace(lora, pairs={}), WrongTensors, "no pair"),
        (with_pair(UP, (RANK, WIDTH), (FEED_FORWARD, RANK + 1)), WrongTensors, "not (rank, 64)"),
        (with_pair(UP, (RANK, WIDTH + 1), (FEED_FORWARD, RANK)), WrongTensors, "not (rank, 64)"),
        (with_pair(UP, (0, WIDTH), (FEED_FORWARD, 0)), WrongTensors, "not (rank, 64)"),
        (with_pair(UP, (65, WIDTH), (FEED_FORWARD, 65)), WrongTensors, "not (rank, 64)"),
        (with_pair("model.embed_tokens", (RANK, WIDTH), (260, RANK)), WrongTensors, "may not change"),
        (with_pair(UP, (RANK, WIDTH), (FEED_FORWARD, RANK), math.nan), BadValues, "nan"),
        (with_pair(UP, (RANK, WIDTH), (FEED_FORWARD, RANK), math.inf), BadValues, "inf"),
        (with_pair(UP, (RANK, WIDTH), (FEED_FORWARD, RANK), 1e6), BadValues, "1000000.0"),
    ],
)
def test_what_does_not_fit_is_not_written(tmp_path: Path, change: Change, error: type[BadAdapter], words: str) -> None:
    with pytest.raises(error, match=words.replace("(", r"\(").replace(")", r"\)")):
        write_lora(tmp_path / "a.gguf", change(adapter()), BASE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"general.type": "model"}, WrongKind),
        ({"general.type": None}, WrongKind),
        ({"adapter.type": "alora"}, WrongKind),
        ({"adapter.type": None}, WrongKind),
        ({"general.architecture": "llama"}, WrongBase),
        ({"adapter.lora.alpha": math.nan}, BadValues),
        ({"adapter.lora.alpha": None}, BadValues),
    ],
)
def test_a_file_that_says_something_else_is_refused(
    tmp_path: Path, facts: dict[str, Any], error: type[BadAdapter]
) -> None:
    _write_raw(tmp_path / "a.gguf", facts)
    with pytest.raises(error):
        read_lora(tmp_path / "a.gguf", BASE)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("blk.0.ffn_up.weight.lora_b", None),  # half a pair
        ("blk.9.ffn_up.weight.lora_a", (RANK, WIDTH)),  # a layer too many
        ("blk.0.nonsense.weight.lora_a", (RANK, WIDTH)),
        ("blk.0.ffn_up.weight", (FEED_FORWARD, WIDTH)),
        ("token_embd.weight.lora_a", (RANK, WIDTH)),
    ],
)
def test_tensors_that_the_base_does_not_know_are_refused(
    tmp_path: Path, name: str, shape: tuple[int, ...] | None
) -> None:
    _write_raw(tmp_path / "a.gguf", {}, tensors={name: shape})
    with pytest.raises(WrongTensors):
        read_lora(tmp_path / "a.gguf", BASE)


def test_a_sound_raw_file_is_read(tmp_path: Path) -> None:
    _write_raw(tmp_path / "a.gguf", {})
    assert read_lora(tmp_path / "a.gguf", BASE).pairs.keys() == {UP}


@pytest.mark.parametrize("data", [None, b"", b"GGUF", b"not a gguf file at all", b"GGUF" + b"\xff" * 100])
def test_what_is_no_gguf_is_refused(tmp_path: Path, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / "a.gguf").write_bytes(data)
    with pytest.raises(NoAdapterFile):
        read_lora(tmp_path / "a.gguf", BASE)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.999])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    write_lora(tmp_path / "a.gguf", adapter(), BASE)
    whole = (tmp_path / "a.gguf").read_bytes()
    (tmp_path / "a.gguf").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(NoAdapterFile):
        read_lora(tmp_path / "a.gguf", BASE)


def test_flipped_headers_never_escape_as_another_error(tmp_path: Path) -> None:
    write_lora(tmp_path / "a.gguf", adapter(), BASE)
    whole = (tmp_path / "a.gguf").read_bytes()
    random = np.random.default_rng(3)
    for _ in range(60):
        broken = bytearray(whole)
        place = int(random.integers(4, 900))
        broken[place : place + 4] = struct.pack("<I", int(random.integers(0, 2**32)))
        (tmp_path / "b.gguf").write_bytes(broken)
        try:
            read_lora(tmp_path / "b.gguf", BASE)
        except BadAdapter:
            continue


def _write_raw(path: Path, facts: dict[str, Any], tensors: dict[str, tuple[int, ...] | None] | None = None) -> None:
    """Write an adapter past all checks; a fact or a tensor that is None is left out."""
    values = {"general.type": "adapter", "general.architecture": "qwen2", "adapter.type": "lora"} | facts
    writer = gguf.GGUFWriter(path, values["general.architecture"])
    for key in ("general.type", "adapter.type"):
        if values[key] is not None:
            writer.add_string(key, values[key])
    alpha = facts.get("adapter.lora.alpha", 8.0)
    if alpha is not None:
        writer.add_float32("adapter.lora.alpha", alpha)
    up = {"blk.0.ffn_up.weight.lora_a": (RANK, WIDTH), "blk.0.ffn_up.weight.lora_b": (FEED_FORWARD, RANK)}
    for name, shape in {**up, **(tensors or {})}.items():
        if shape is not None:
            writer.add_tensor(name, np.full(shape, 0.1, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
