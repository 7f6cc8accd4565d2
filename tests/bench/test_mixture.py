"""Random models written packed: the types are those of llama.cpp's quantizer, and llama.cpp runs them."""

import ctypes
import os
from pathlib import Path

import llama_cpp as ll
import numpy as np
import pytest

from bench.mixture import write_q4_k_m
from bench.shapes import CONTROLS, SHAPES, rows_of, vocabulary, write_random
from shammah.local import LocalModel
from shammah_convert.base import About
from shammah_convert.mapped import MappedFile
from shammah_convert.opened import OpenBase
from shammah_convert.shape import BaseConfig

ROWS = 1024
CONFIGS = {
    "tied": BaseConfig("qwen2", 256, 512, 9, 4, 2, 64, 512, 1e6, 1e-6, is_tied=True),
    "untied": BaseConfig("qwen2", 256, 512, 16, 4, 2, 64, 512, 1e6, 1e-6, is_tied=False),
    "rows of no whole blocks": BaseConfig("qwen2", 128, 768, 8, 4, 2, 32, 512, 1e6, 1e-6, is_tied=True),
}


def quantized(source: Path, target: Path) -> Path:
    parameters = ll.llama_model_quantize_default_params()
    parameters.ftype, parameters.nthread = ll.LLAMA_FTYPE_MOSTLY_Q4_K_M, 1
    assert ll.llama_model_quantize(os.fsencode(source), os.fsencode(target), ctypes.byref(parameters)) == 0
    return target


@pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
def test_types_and_size_are_those_of_llama_cpps_quantizer(config: BaseConfig, tmp_path: Path) -> None:
    write_random(tmp_path / "half.gguf", config, "random", ROWS)
    theirs = MappedFile(quantized(tmp_path / "half.gguf", tmp_path / "theirs.gguf"))
    write_q4_k_m(tmp_path / "ours.gguf", config, vocabulary(ROWS), About("random", "Apache-2.0"))
    ours = MappedFile(tmp_path / "ours.gguf")
    assert {name: tensor.kind for name, tensor in ours.tensors.items()} == {
        name: tensor.kind for name, tensor in theirs.tensors.items()
    }
    assert {name: tensor.shape for name, tensor in ours.tensors.items()} == {
        name: tensor.shape for name, tensor in theirs.tensors.items()
    }
    assert ours.value("general.file_type") == theirs.value("general.file_type")


@pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
def test_llama_cpp_runs_it_and_no_control_token_is_the_likeliest(config: BaseConfig, tmp_path: Path) -> None:
    path = tmp_path / "ours.gguf"
    write_q4_k_m(path, config, vocabulary(ROWS), About("random", "Apache-2.0"))
    with LocalModel(path, 1, gpu_layers=0) as model:
        logits = model.logits([5, 6, 7])
    assert np.isfinite(logits).all()
    assert logits.argmax() < ROWS - len(CONTROLS)
    assert np.abs(logits[-len(CONTROLS) :]).max() == 0.0


def test_its_matrices_hold_random_weights_of_one_spread(tmp_path: Path) -> None:
    write_q4_k_m(tmp_path / "ours.gguf", CONFIGS["tied"], vocabulary(ROWS), About("random", "Apache-2.0"))
    base = OpenBase(tmp_path / "ours.gguf")
    first, second = (base.tensor(f"model.layers.{layer}.mlp.up_proj.weight") for layer in (0, 1))
    assert first.std() == pytest.approx(0.02, rel=0.05)
    assert np.abs(first - second).max() > 0.02


def test_the_7b_shape_is_qwens() -> None:
    # Qwen2.5-7B-Instruct's config.json, and its card's 7.61 billion parameters.
    config = SHAPES["7b"]
    matrices = config.layers * sum(inner * outer for inner, outer in config.matrices)
    assert matrices + 2 * rows_of("7b") * config.hidden_size == pytest.approx(7.61e9, rel=0.001)
