"""peft's LoRA on the base: a fresh one to train, the active ones to compare with, and its matrices for the file."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from transformers import PreTrainedModel

from shammah_convert.job import AdapterFile
from shammah_convert.lora import TARGETS, Matrix, read_lora
from shammah_convert.shape import BaseConfig
from shammah_trainer.layers import Again, PackedLinear

CANDIDATE = "candidate"
LAST_OF_A_BLOCK = "down_proj"
LEAST_SINGULAR = 1e-6
"""Of the largest: what is smaller is rounding."""
_PREFIX = "base_model.model."


def attach(model: PreTrainedModel, rank: int, alpha: float, is_checkpointed: bool = False) -> PeftModel:
    """Put a fresh adapter on every projection: lora_a random, lora_b zero, so that nothing changes yet.

    Args:
        model: The base; changed.
        rank: Of every pair.
        alpha: The adapter's weight is alpha / rank.
        is_checkpointed: Keep no activations within layers; the backward pass computes them again.
    """
    attached = get_peft_model(model, _config(TARGETS, rank, alpha), adapter_name=CANDIDATE)
    for _, layer in _layers(attached, CANDIDATE):
        layer.cast_input_dtype_enabled = False  # to float32 and back, it cost a quarter of a step
    if is_checkpointed:  # afterwards: peft would otherwise ask for gradients of the embedding, too
        # transformers renamed it in 5.20.
        enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
        enable({"use_reentrant": False, "context_fn": _again(model).contexts})
        attached.train()  # transformers checkpoints in training only; there is no dropout that would awake
    return attached


def _again(model: PreTrainedModel) -> Again:
    """Tells the last layer of each block when it is computed again."""
    again = Again()
    for name, layer in model.named_modules():
        if isinstance(layer, PackedLinear) and LAST_OF_A_BLOCK in name.split("."):
            layer.again = again
    return again


def attach_active(model: PeftModel, active: Sequence[AdapterFile], config: BaseConfig) -> tuple[str, ...]:
    """Load the adapters that are active now beside the candidate; their names in the model.

    Raises:
        BadAdapter: A file does not fit the base.
    """
    names = tuple(f"active{place}" for place in range(len(active)))
    for name, file in zip(names, active, strict=True):
        adapter = read_lora(Path(file.path), config)
        rank = max(len(lora_a) for lora_a, _ in adapter.pairs.values())
        model.add_adapter(name, _config(adapter.pairs, rank, adapter.alpha * file.scale))
        _fill(model, name, adapter.pairs)
    return names


@torch.no_grad()
def start_from(model: PeftModel, names: Sequence[str]) -> None:
    """Make the candidate what these adapters are together, as far as its rank holds that, instead of a fresh one.

    Up to the candidate's rank the sum is exact, and rows that are left over stay fresh; above it, it is the nearest
    matrix of that rank (truncated singular value decomposition).
    """
    for _, layer in _layers(model, CANDIDATE):
        present = [name for name in names if name in layer.lora_A]
        if not present:
            continue
        # On the processor: Apple's GPUs know no singular value decomposition.
        lora_a = torch.cat([layer.lora_A[name].weight.float().cpu() for name in present])  # (ranks together, in)
        lora_b = torch.cat([layer.lora_B[name].weight.float().cpu() * layer.scaling[name] for name in present], dim=1)
        _put(layer, lora_a, lora_b / layer.scaling[CANDIDATE])


def _put(layer: LoraLayer, lora_a: torch.Tensor, lora_b: torch.Tensor) -> None:
    """Write a product of any rank, lora_b (out, rank) by lora_a (rank, in), into the candidate's matrices."""
    a, b = layer.lora_A[CANDIDATE].weight, layer.lora_B[CANDIDATE].weight
    # Of b @ a the singular values are those of a small matrix, rank by rank, between two orthogonal ones.
    left, of_b = torch.linalg.qr(lora_b)
    right, of_a = torch.linalg.qr(lora_a.T)
    u, values, v = torch.linalg.svd(of_b @ of_a.T)
    kept = min(len(a), int((values > values.max() * LEAST_SINGULAR).sum()))
    roots = values[:kept].sqrt()  # balanced, so that both matrices learn alike
    b.zero_()[:, :kept] = (left @ u[:, :kept] * roots).to(b.device)
    a[:kept] = (roots[:, None] * (right @ v[:kept].T).T).to(a.device)


@contextmanager
def using(model: PeftModel, names: Sequence[str]) -> Iterator[None]:
    """Run the base with these adapters alone; with none of them, the bare base."""
    try:
        if names:
            model.base_model.set_adapter(list(names))
            yield
        else:
            with model.disable_adapter():
                yield
    finally:
        model.base_model.set_adapter(CANDIDATE)


def named_parameters(model: PeftModel) -> dict[str, torch.nn.Parameter]:
    """What is trained, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def parameters(model: PeftModel) -> list[torch.nn.Parameter]:
    """What is trained."""
    return list(named_parameters(model).values())


@torch.no_grad()
def round_off(model: PeftModel) -> None:
    """Round the candidate to what its file keeps, float16, so that what is evaluated is what is served."""
    for parameter in parameters(model):
        parameter.copy_(parameter.half())


def pairs(model: PeftModel) -> dict[str, tuple[Matrix, Matrix]]:
    """The candidate's matrices by Hugging Face module: lora_a (rank, in), lora_b (out, rank)."""
    return {
        module: (_matrix(layer.lora_A[CANDIDATE].weight), _matrix(layer.lora_B[CANDIDATE].weight))
        for module, layer in _layers(model, CANDIDATE)
    }


def _fill(model: PeftModel, name: str, matrices: Mapping[str, tuple[Matrix, Matrix]]) -> None:
    for module, layer in _layers(model, name):
        lora_a, lora_b = (torch.from_numpy(matrix) for matrix in matrices[module])
        rank = len(lora_a)
        with torch.no_grad():
            # peft scales by alpha / (its one rank); a module of a smaller rank is padded with zeros and made up for.
            layer.lora_A[name].weight.zero_()[:rank] = lora_a * (layer.r[name] / rank)
            layer.lora_B[name].weight.zero_()[:, :rank] = lora_b


def _layers(model: PeftModel, name: str) -> Iterator[tuple[str, LoraLayer]]:
    for module, layer in model.named_modules():
        if isinstance(layer, LoraLayer) and name in layer.lora_A:
            yield module.removeprefix(_PREFIX), layer


def _matrix(weight: torch.Tensor) -> Matrix:
    return weight.detach().float().cpu().numpy()


def _config(modules: Iterable[str], rank: int, alpha: float) -> LoraConfig:
    """Targets are whole names, or last parts of names."""
    pattern = "|".join(re.escape(module) for module in modules)
    return LoraConfig(
        r=rank, lora_alpha=alpha, target_modules=rf"(?:.*\.)?(?:{pattern})", bias="none", task_type="CAUSAL_LM"
    )
