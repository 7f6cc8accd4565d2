"""An adapter file is what llama.cpp runs, and every file that it should not run is refused by name."""

import ctypes
import math
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import llama_cpp as ll
import numpy as np
import pytest

from shammah.local import LocalModel
from shammah_convert.base import About, write_base
from shammah_convert.lora import (
    SCORES,
    Adapter,
    BadAdapter,
    BadValues,
    Matrix,
    NoAdapterFile,
    WrongBase,
    WrongKind,
    WrongTensors,
    read_lora,
    write_lora,
)
from tests.lora_files import BASE, RANK, UP, UP_B, filled, make_lora, write_raw
from tests.tiny import FEED_FORWARD, WIDTH, tiny_weights, vocabulary


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    before = make_lora()
    write_lora(tmp_path / "a.gguf", before, BASE)
    after = read_lora(tmp_path / "a.gguf", BASE)
    assert (after.card, after.architecture, after.alpha) == (before.card, "qwen2", 8.0)
    assert after.pairs.keys() == before.pairs.keys()
    for module, pair in before.pairs.items():
        for mine, theirs in zip(pair, after.pairs[module], strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_llama_cpp_applies_it_as_if_it_were_merged_into_the_weights(tmp_path: Path) -> None:
    weights = tiny_weights("qwen2")
    lora = make_lora()
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
    # ggml rounds activations to float16 before it multiplies them with a matrix in float16.
    np.testing.assert_allclose(applied, wanted, atol=4e-3)


def _apply(model: LocalModel, path: Path) -> None:
    """Set an adapter through the bare C interface."""
    handle = ll.llama_adapter_lora_init(model.weights.native, str(path).encode())
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
        write_lora(tmp_path / "a.gguf", change(make_lora()), BASE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"general.type": "model"}, WrongKind),
        ({"general.type": None}, WrongKind),
        ({"adapter.type": "alora"}, WrongKind),
        ({"adapter.type": None}, WrongKind),
        ({"adapter.alora.invocation_tokens": "1"}, WrongKind),
        ({"general.architecture": "llama"}, WrongBase),
        ({"adapter.lora.alpha": math.nan}, BadValues),
        ({"adapter.lora.alpha": None}, BadValues),
    ],
)
def test_a_file_that_says_something_else_is_refused(
    tmp_path: Path, facts: dict[str, Any], error: type[BadAdapter]
) -> None:
    write_raw(tmp_path / "a.gguf", facts)
    with pytest.raises(error):
        read_lora(tmp_path / "a.gguf", BASE)


@pytest.mark.parametrize(
    ("name", "matrix"),
    [
        (UP_B, None),  # half a pair
        ("blk.9.ffn_up.weight.lora_a", filled(RANK, WIDTH)),  # a layer too many
        ("blk.0.nonsense.weight.lora_a", filled(RANK, WIDTH)),
        ("blk.0.ffn_up.weight", filled(FEED_FORWARD, WIDTH)),
        ("token_embd.weight.lora_a", filled(RANK, WIDTH)),
    ],
)
def test_tensors_that_the_base_does_not_know_are_refused(tmp_path: Path, name: str, matrix: Matrix | None) -> None:
    write_raw(tmp_path / "a.gguf", tensors={name: matrix})
    with pytest.raises(WrongTensors):
        read_lora(tmp_path / "a.gguf", BASE)


def test_a_sound_raw_file_is_read(tmp_path: Path) -> None:
    write_raw(tmp_path / "a.gguf")
    assert read_lora(tmp_path / "a.gguf", BASE).pairs.keys() == {UP}


@pytest.mark.parametrize("scores", ["[" * 200_000, '{"a": 1' + "0" * 400 + "}", "[1]", "no"])
def test_scores_that_are_none_are_left_out(tmp_path: Path, scores: str) -> None:
    write_raw(tmp_path / "a.gguf", {SCORES: scores})
    assert read_lora(tmp_path / "a.gguf", BASE).card.scores == {}


@pytest.mark.parametrize("data", [None, b"", b"GGUF", b"not a gguf file at all", b"GGUF" + b"\xff" * 100])
def test_what_is_no_gguf_is_refused(tmp_path: Path, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / "a.gguf").write_bytes(data)
    with pytest.raises(NoAdapterFile):
        read_lora(tmp_path / "a.gguf", BASE)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.999])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    write_lora(tmp_path / "a.gguf", make_lora(), BASE)
    whole = (tmp_path / "a.gguf").read_bytes()
    (tmp_path / "a.gguf").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(NoAdapterFile):
        read_lora(tmp_path / "a.gguf", BASE)


def test_flipped_headers_never_escape_as_another_error(tmp_path: Path) -> None:
    write_lora(tmp_path / "a.gguf", make_lora(), BASE)
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
