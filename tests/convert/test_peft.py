"""An adapter goes to PEFT's folder and back: peft itself, and llama.cpp, say the same with it on every side."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from shammah.local import LocalModel
from shammah_convert.job import AdapterFile
from shammah_convert.lora import (
    TARGETS,
    BadAdapter,
    BadValues,
    Card,
    NoAdapterFile,
    WrongKind,
    WrongTensors,
    read_lora,
    write_lora,
)
from shammah_convert.peft import CONFIG, WEIGHTS, read_peft, write_peft
from shammah_trainer.base import open_base
from tests.lora_files import BASE_SHA256, make_lora
from tests.qwens import LAYERS, Kind

KIND = Kind("qwen2", "F32", is_tied=True)
BASE = KIND.config
TOKENS = [5, 6, 7, 300, 9]
UP = "model.layers.0.mlp.up_proj"
# llama.cpp keeps keys, values and the adapter in float16. Measured: 0.010 at most, where the adapters move the logits,
# whose standard deviation is 1.6, by 5 to 7.
TOLERANCE = 0.03
LEAST_CHANGE = 0.5


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return KIND.write(tmp_path_factory.mktemp("model") / "base.gguf")


def torch_logits(model_file: Path, folder: Path | None = None) -> NDArray[np.float32]:
    """Logits of transformers, with an adapter that peft itself loads from a folder."""
    model: Any = open_base(model_file).model
    if folder is not None:
        model = PeftModel.from_pretrained(model, folder)
    with torch.no_grad():
        return np.asarray(model(torch.tensor([TOKENS])).logits[0, -1])


def native_logits(model_file: Path, adapter: Path) -> NDArray[np.float32]:
    with LocalModel(model_file, gpu_layers=0) as model:
        model.apply([AdapterFile("a", str(adapter), "")])
        return model.logits(TOKENS)


def save_random(model_file: Path, folder: Path, **config: Any) -> Path:
    """An adapter with random matrices, saved by peft itself."""
    torch.manual_seed(3)
    settings = {"r": 4, "lora_alpha": 8, "target_modules": list(TARGETS), "init_lora_weights": False} | config
    model = get_peft_model(open_base(model_file).model, LoraConfig(**settings))
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, 0, 0.2)
    model.save_pretrained(folder)
    return folder


MODULES = {
    "every projection": [f"model.layers.{layer}.{part}" for layer in range(LAYERS) for part in (
        "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
        "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
    )],
    "one module": [UP],
    "some of a kind": [UP, "model.layers.1.self_attn.q_proj"],
}  # fmt: skip


@pytest.mark.parametrize("modules", MODULES.values(), ids=MODULES)
def test_peft_says_the_same_with_the_written_folder_as_llama_cpp_with_the_file(
    model_file: Path, tmp_path: Path, modules: list[str]
) -> None:
    write_lora(tmp_path / "a.gguf", make_lora(base=BASE, modules=modules), BASE)
    write_peft(tmp_path / "peft", read_lora(tmp_path / "a.gguf", BASE), BASE)
    theirs = torch_logits(model_file, tmp_path / "peft")
    assert np.abs(theirs - torch_logits(model_file)).max() > LEAST_CHANGE
    np.testing.assert_allclose(native_logits(model_file, tmp_path / "a.gguf"), theirs, atol=TOLERANCE)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"use_rslora": True},
        {"target_modules": ["q_proj", "down_proj"]},
        {"target_modules": r".*\.1\.mlp\.(up|gate)_proj"},
        {"layers_to_transform": [1]},
        {"rank_pattern": {"q_proj": 2, r"0\.mlp\.up_proj": 7}},
        {"alpha_pattern": {"q_proj": 3, r"0\.mlp\.up_proj": 20}},
        {"rank_pattern": {"q_proj": 2, "up_proj": 7}, "alpha_pattern": {"q_proj": 3, "v_proj": 1}},
    ],
    ids=str,
)
def test_llama_cpp_says_the_same_with_the_read_folder_as_peft(
    model_file: Path, tmp_path: Path, config: dict[str, Any]
) -> None:
    folder = save_random(model_file, tmp_path / "peft", **config)
    theirs = torch_logits(model_file, folder)
    write_lora(tmp_path / "a.gguf", read_peft(folder, BASE), BASE)
    assert np.abs(theirs - torch_logits(model_file)).max() > LEAST_CHANGE
    np.testing.assert_allclose(native_logits(model_file, tmp_path / "a.gguf"), theirs, atol=TOLERANCE)


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16])
def test_each_type_of_weights_is_read(model_file: Path, tmp_path: Path, kind: torch.dtype) -> None:
    folder = save_random(model_file, tmp_path / "peft")
    stored = {name: values.to(kind) for name, values in load_file(folder / WEIGHTS).items()}
    save_file(stored, folder / WEIGHTS)
    lora_a, lora_b = read_peft(folder, BASE).pairs[UP]
    names = [f"base_model.model.{UP}.lora_{half}.weight" for half in "AB"]
    for mine, name in zip((lora_a, lora_b), names, strict=True):
        np.testing.assert_array_equal(mine, stored[name].float().numpy())


def test_there_and_back_nothing_is_lost(tmp_path: Path) -> None:
    before = make_lora(Card("mine", "tiny", BASE_SHA256), BASE)
    write_peft(tmp_path / "peft", before, BASE)
    after = read_peft(tmp_path / "peft", BASE)
    assert (after.card, after.architecture, after.alpha) == (before.card, before.architecture, before.alpha)
    assert after.pairs.keys() == before.pairs.keys()
    for module, pair in before.pairs.items():
        for mine, theirs in zip(pair, after.pairs[module], strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert sorted(path.name for path in (tmp_path / "peft").iterdir()) == [CONFIG, WEIGHTS]


def test_a_folder_of_another_tool_is_called_by_its_own_name(model_file: Path, tmp_path: Path) -> None:
    card = read_peft(save_random(model_file, tmp_path / "recipes"), BASE).card
    assert (card.name, card.base_sha256) == ("recipes", "")


@pytest.mark.parametrize(
    ("config", "error", "words"),
    [
        ({"peft_type": "IA3"}, WrongKind, "of type IA3, not LORA"),
        ({"peft_type": None}, WrongKind, "of type none"),
        ({"use_dora": True}, WrongKind, "use_dora, which a LoRA GGUF cannot hold"),
        ({"bias": "all"}, WrongKind, "trained with bias"),
        ({"modules_to_save": ["lm_head"]}, WrongKind, "modules_to_save"),
        ({"layer_replication": [[0, 1]]}, WrongKind, "layer_replication"),
        ({"lora_bias": True, "use_dora": True}, WrongKind, "use_dora, lora_bias"),
        ({"init_lora_weights": "pissa_niter_4"}, WrongKind, "init_lora_weights=pissa_niter_4"),
        ({"lora_alpha": None}, NoAdapterFile, "nothing usable of alpha"),
        ({"lora_alpha": 0}, BadValues, r"alphas are \[0"),
        ({"lora_alpha": float("nan")}, BadValues, "alphas are"),
        ({"alpha_pattern": {"(": 1}}, NoAdapterFile, "nothing usable of alpha"),
        ({"alpha_pattern": [1]}, NoAdapterFile, "nothing usable of alpha"),
    ],
)
def test_what_a_gguf_cannot_hold_is_refused_by_name(
    tmp_path: Path, config: Mapping[str, Any], error: type[BadAdapter], words: str
) -> None:
    write_peft(tmp_path, make_lora(base=BASE), BASE)
    said = json.loads((tmp_path / CONFIG).read_text())
    (tmp_path / CONFIG).write_text(json.dumps(said | config))
    with pytest.raises(error, match=words):
        read_peft(tmp_path, BASE)


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        (f"base_model.model.{UP}.lora_magnitude_vector", (96,), "no half of a LoRA pair"),
        ("base_model.model.model.embed_tokens.lora_embedding_A", (4, 64), "no half of a LoRA pair"),
        ("base_model.model.lm_head.weight", (9, 64), "no half of a LoRA pair"),
        ("base_model.model.lm_head.lora_A.weight", (4, 64), "lm_head has only"),
        (
            "base_model.model.model.layers.9.mlp.up_proj.lora_A.weight",
            (4, 64),
            "layers.9.*the base does not have",
        ),
        (f"base_model.model.{UP}.lora_A.weight", (4, 63), r"not \(rank, 64\)"),
        (f"base_model.model.{UP}.lora_A.weight", (), r"not \(rank, 64\)"),
        (f"base_model.model.{UP}.lora_A.weight", (0, 64), r"not \(rank, 64\)"),
    ],
)
def test_a_tensor_that_the_base_does_not_know_is_refused(
    tmp_path: Path, name: str, shape: tuple[int, ...], words: str
) -> None:
    write_peft(tmp_path, make_lora(base=BASE), BASE)
    tensors = load_file(tmp_path / WEIGHTS) | {name: torch.ones(shape)}
    save_file(tensors, tmp_path / WEIGHTS)
    with pytest.raises(WrongTensors, match=words):
        read_peft(tmp_path, BASE)


def test_half_a_pair_is_refused(tmp_path: Path) -> None:
    write_peft(tmp_path, make_lora(base=BASE), BASE)
    tensors = load_file(tmp_path / WEIGHTS)
    del tensors[f"base_model.model.{UP}.lora_B.weight"]
    save_file(tensors, tmp_path / WEIGHTS)
    with pytest.raises(WrongTensors, match=r"up_proj has only \.lora_A"):
        read_peft(tmp_path, BASE)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    write_peft(tmp_path, make_lora(base=BASE), BASE)
    tensors = load_file(tmp_path / WEIGHTS)
    tensors[f"base_model.model.{UP}.lora_B.weight"][0, 0] = float("nan")
    save_file(tensors, tmp_path / WEIGHTS)
    with pytest.raises(BadValues, match="nan"):
        read_peft(tmp_path, BASE)


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    write_peft(tmp_path, make_lora(base=BASE), BASE)
    (tmp_path / WEIGHTS).rename(tmp_path / "adapter_model.bin")
    with pytest.raises(NoAdapterFile, match="is a pickle"):
        read_peft(tmp_path, BASE)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "\xff"])
def test_a_configuration_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    write_peft(tmp_path, make_lora(base=BASE), BASE)
    (tmp_path / CONFIG).write_text(text, "latin-1")
    with pytest.raises(NoAdapterFile, match=CONFIG):
        read_peft(tmp_path, BASE)


def test_a_missing_folder_or_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoAdapterFile, match=CONFIG):
        read_peft(tmp_path, BASE)
    write_peft(tmp_path, make_lora(base=BASE), BASE)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(NoAdapterFile, match=WEIGHTS):
        read_peft(tmp_path, BASE)


def test_what_does_not_fit_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BadAdapter):
        write_peft(tmp_path / "peft", make_lora(base=Kind("qwen3").config), BASE)
    assert list(tmp_path.iterdir()) == []
