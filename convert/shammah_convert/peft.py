"""LoRA adapters as PEFT keeps them: a folder with adapter_config.json and adapter_model.safetensors.

A PEFT adapter scales each module by its own alpha / rank, or alpha / sqrt(rank); a LoRA GGUF has one alpha for all,
over each module's rank. So a module's alpha is worked into its lora_b where it is not the common one.
"""

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from shammah_convert.files import publish, write_whole
from shammah_convert.lora import (
    BASE_SHA256,
    LARGEST_WEIGHT,
    TARGETS,
    Adapter,
    BadValues,
    Card,
    Matrix,
    NoAdapterFile,
    WrongKind,
    WrongTensors,
    check,
)
from shammah_convert.names import hf_names
from shammah_convert.shape import BaseConfig
from shammah_convert.stored import BadTensors, StoredTensors

CONFIG, WEIGHTS, PICKLE = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
PREFIX = "base_model.model."
LORA_A, LORA_B = ".lora_A.weight", ".lora_B.weight"

# What changes the output in ways that a pair of matrices a module cannot; by peft 0.21's LoraConfig.
_BEYOND_LORA = (
    "use_dora",
    "lora_bias",
    "modules_to_save",
    "trainable_token_indices",
    "target_parameters",
    "layer_replication",
    "alora_invocation_tokens",
    "use_qalora",
    "use_bdlora",
    "arrow_config",
    "kasa_config",
    "velora_config",
    "monteclora_config",
    "fan_in_fan_out",
)
# Beginnings of init_lora_weights that change the base's own weights first; the adapter fits what is left of them.
_CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")


@dataclass(frozen=True, slots=True)
class _Scaling:
    """How an adapter scales its modules, in peft's words; patterns are regular expressions for a name's end."""

    alpha: float
    alpha_pattern: Mapping[str, float]
    is_rank_stabilized: bool

    def alpha_of(self, module: str, rank: int) -> float:
        """The alpha for which alpha / rank is the module's scale."""
        matching = (alpha for key, alpha in self.alpha_pattern.items() if re.match(rf"(.*\.)?({key})$", module))
        alpha = next(matching, self.alpha)
        return alpha * math.sqrt(rank) if self.is_rank_stabilized else alpha


def read_peft(folder: Path, base: BaseConfig) -> Adapter:
    """Read an adapter, and check that a base of this shape can run it.

    Raises:
        BadAdapter: It cannot, in one of the named ways, or a LoRA GGUF cannot hold it.
    """
    config = _read_config(folder)
    scaling = _scaling(folder, config)
    tensors = _read_tensors(folder)
    # No folder says which architecture it is for; its names and shapes do.
    raw = Adapter(_card(folder, config, tensors.metadata), base.architecture, 1.0, _pairs(folder, tensors, base))
    check(raw, base)
    adapter = _scaled(raw, scaling)
    check(adapter, base)
    return adapter


def write_peft(folder: Path, adapter: Adapter, base: BaseConfig) -> None:
    """Write an adapter in float32; the configuration, without which it is none, comes last.

    Raises:
        BadAdapter: It does not fit the base, or holds values that are none.
        OSError: It cannot be written.
    """
    check(adapter, base)
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Matrix] = {}
    for module, (lora_a, lora_b) in adapter.pairs.items():
        tensors |= {f"{PREFIX}{module}{LORA_A}": lora_a, f"{PREFIX}{module}{LORA_B}": lora_b}
    card = {"format": "pt", "name": adapter.card.name, BASE_SHA256: adapter.card.base_sha256}
    partial = folder / f"{WEIGHTS}.partial"
    try:
        partial.write_bytes(save(tensors, card))  # safetensors' own writer has errors of its own for a full disk
        publish(partial, folder / WEIGHTS)
    finally:
        partial.unlink(missing_ok=True)
    write_whole(folder / CONFIG, json.dumps(_config(adapter, base), indent=2) + "\n")


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
    except OSError as error:
        raise NoAdapterFile(f"{folder / CONFIG} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise NoAdapterFile(f"{folder / CONFIG} is no JSON: {error}") from error
    if not isinstance(config, dict):
        raise NoAdapterFile(f"{folder / CONFIG} holds no configuration")
    return config


def _scaling(folder: Path, config: Mapping[str, Any]) -> _Scaling:
    """How the adapter scales, once it is sure that it does nothing else."""
    if config.get("peft_type") != "LORA":
        raise WrongKind(f"{folder} is an adapter of type {config.get('peft_type') or 'none'}, not LORA")
    beyond = [name for name in _BEYOND_LORA if config.get(name)]
    if config.get("bias", "none") != "none":
        beyond.append("bias")
    initial = str(config.get("init_lora_weights", ""))
    if initial.lower().startswith(_CHANGES_BASE):
        beyond.append(f"init_lora_weights={initial}")
    if beyond:
        raise WrongKind(f"{folder} was trained with {', '.join(beyond)}, which a LoRA GGUF cannot hold")
    try:
        patterns = {str(key): float(alpha) for key, alpha in (config.get("alpha_pattern") or {}).items()}
        for key in patterns:
            re.compile(key)
        return _Scaling(float(config["lora_alpha"]), patterns, bool(config.get("use_rslora")))
    except (KeyError, TypeError, ValueError, AttributeError, re.error) as error:
        raise NoAdapterFile(f"{folder / CONFIG} says nothing usable of alpha: {error!r}") from error


def _read_tensors(folder: Path) -> StoredTensors:
    path = folder / WEIGHTS
    if not path.is_file() and (folder / PICKLE).is_file():
        raise NoAdapterFile(
            f"{folder / PICKLE} is a pickle, which can hold any program and is not opened;"
            f" save it again with peft, as {WEIGHTS}"
        )
    try:
        return StoredTensors([path])
    except BadTensors as error:
        raise NoAdapterFile(str(error)) from error


def _pairs(folder: Path, tensors: StoredTensors, base: BaseConfig) -> dict[str, tuple[Matrix, Matrix]]:
    known = {name.removesuffix(".weight") for name in hf_names(base.architecture, base.layers)}
    halves: dict[str, dict[str, Matrix]] = defaultdict(dict)
    for name in tensors:
        half = next((half for half in (LORA_A, LORA_B) if name.endswith(half)), "")
        module = name.removeprefix(PREFIX).removesuffix(half)
        if not half or not name.startswith(PREFIX):
            raise WrongTensors(f"{folder} holds {name!r}, which is no half of a LoRA pair")
        if module not in known:
            raise WrongTensors(f"{folder} changes {module}, which the base does not have")
        halves[module][half] = tensors[name]
    for module, found in halves.items():
        if len(found) != 2:
            raise WrongTensors(f"{module} has only {', '.join(found)} of its pair")
    return {module: (found[LORA_A], found[LORA_B]) for module, found in halves.items()}


def _scaled(adapter: Adapter, scaling: _Scaling) -> Adapter:
    """The adapter with the alpha that most of its modules have; the others' is worked into lora_b."""
    alphas = {module: scaling.alpha_of(module, len(lora_a)) for module, (lora_a, _) in adapter.pairs.items()}
    if not all(math.isfinite(alpha) and alpha > 0 for alpha in alphas.values()):
        raise BadValues(f"the adapter's alphas are {sorted(set(alphas.values()))}")
    common = min(Counter(alphas.values()).most_common(1)[0][0], LARGEST_WEIGHT)
    pairs = {
        module: (lora_a, lora_b * np.float32(alphas[module] / common))
        for module, (lora_a, lora_b) in adapter.pairs.items()
    }
    return replace(adapter, alpha=common, pairs=pairs)


def _card(folder: Path, config: Mapping[str, Any], metadata: Mapping[str, str]) -> Card:
    return Card(
        name=str(metadata.get("name") or folder.absolute().name),
        base_name=str(config.get("base_model_name_or_path") or ""),
        base_sha256=str(metadata.get(BASE_SHA256, "")),
    )


def _config(adapter: Adapter, base: BaseConfig) -> dict[str, Any]:
    ranks = {module: len(lora_a) for module, (lora_a, _) in adapter.pairs.items()}
    common = Counter(ranks.values()).most_common(1)[0][0]
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": adapter.card.base_name,
        "r": common,
        "lora_alpha": int(adapter.alpha) if adapter.alpha.is_integer() else adapter.alpha,
        "rank_pattern": {module: rank for module, rank in ranks.items() if rank != common},
        "alpha_pattern": {},
        "use_rslora": False,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "init_lora_weights": True,
        "inference_mode": True,
        "target_modules": _targets(adapter.pairs, base.layers),
    }


def _targets(modules: Iterable[str], layers: int) -> list[str]:
    """The last parts of the names where every layer has them, as other tools like it; else the whole names."""
    names = sorted(modules)
    last = [target for target in TARGETS if any(name.endswith(f".{target}") for name in names)]
    return last if len(names) == len(last) * layers else names
