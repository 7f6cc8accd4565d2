"""The base shared out by torch's FSDP: each process holds its share of every matrix, packed as it is in the file.

FSDP shards parameters, and a frozen one of bytes as any other: so the blocks of a matrix become a parameter, (rows,
bytes a row), of which each process keeps some rows. Before a decoder layer works, forward and backward, its blocks are
gathered from all processes; what is unpacked is unpacked from them; afterwards they are dropped. What is small or
trained (LoRA, norms, biases) is left alone: each process has all of it.
"""

import os
from dataclasses import dataclass

import torch
from gguf import GGMLQuantizationType
from peft import PeftModel
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method

from shammah_trainer.layers import PackedEmbedding, PackedHead, PackedLinear
from shammah_trainer.packed import Packed
from shammah_trainer.spread import Spread

BLOCKS = "blocks"


@dataclass(frozen=True, slots=True, eq=False)
class Lent:
    """Rows of a matrix that is a layer's parameter: whole while the layer works, and a share of it else."""

    layer: nn.Module
    kind: GGMLQuantizationType
    columns: int
    start: int
    stop: int

    @property
    def data(self) -> Tensor:
        """uint8, (rows, bytes a row), while the layer works."""
        blocks: Tensor = self.layer.get_parameter(BLOCKS)
        return blocks if self.rows == len(blocks) else blocks[self.start : self.stop]

    @property
    def rows(self) -> int:
        """Of the matrix."""
        return self.stop - self.start

    @property
    def values(self) -> int:
        """Of the matrix."""
        return self.rows * self.columns

    def part(self, start: int, stop: int) -> "Lent":
        """Some of its rows."""
        first = self.start + start
        return Lent(self.layer, self.kind, self.columns, first, min(self.start + stop, self.stop))

    def picked(self, rows: Tensor) -> Packed:
        """These of its rows, copied."""
        return Packed(self.data[rows], self.kind, self.columns)

    def floats(self, dtype: torch.dtype, out: Tensor | None = None, threads: int = 1) -> Tensor:
        """Unpack it: (rows, columns), into `out` where it is given, flat or not."""
        return Packed(self.data, self.kind, self.columns).floats(dtype, out, threads)


def shard(model: PeftModel, device: torch.device, spread: Spread) -> None:
    """Give each process its share of the base's blocks, on its device; all adapters are there already."""
    model.to(device)
    mesh = init_device_mesh(device.type, (spread.size,))
    causal = model.base_model.model
    for layer in causal.model.layers:
        for module in layer.modules():
            if isinstance(module, PackedLinear):
                _lend(module)
        _fully(layer, mesh)
    _shard_ends(causal.model.embed_tokens, causal.lm_head, mesh)
    _fully(causal.model, mesh)


def held_bytes(model: PeftModel) -> int:
    """Of the base's blocks, how many this process holds while no layer works."""
    found = [parameter for name, parameter in model.named_parameters() if name.endswith(BLOCKS)]
    return sum(parameter.to_local().numel() for parameter in found)


def _shard_ends(embedding: PackedEmbedding, head: PackedHead, mesh: DeviceMesh) -> None:
    """Share out embedding and output layer; where they are one matrix, the embedding borrows that of the other."""
    is_tied = embedding.packed is head.packed
    _lend(head)
    _fully(head, mesh)
    for method in ("nats", "divergence"):
        register_fsdp_forward_method(head, method)
    if not is_tied:
        _lend(embedding)
        _fully(embedding, mesh)
        return
    assert isinstance(head, FSDPModule), "it was sharded above"
    embedding.take(head.packed)
    embedding.register_forward_pre_hook(lambda *_: head.unshard() and None)
    embedding.register_forward_hook(lambda *_: head.reshard())


def _lend(layer: PackedLinear | PackedEmbedding | PackedHead) -> None:
    """Make a layer's blocks a parameter, for FSDP to take."""
    packed = layer.packed
    layer.register_parameter(BLOCKS, nn.Parameter(packed.data, requires_grad=False))
    layer.take(Lent(layer, packed.kind, packed.columns, 0, packed.rows))


def _fully(module: nn.Module, mesh: DeviceMesh) -> None:
    """Let FSDP shard the blocks in a module, and nothing else."""
    others = {parameter for name, parameter in module.named_parameters() if not name.endswith(BLOCKS)}
    fully_shard(module, mesh=mesh, reshard_after_forward=_is_resharded(), ignored_params=others)


def _is_resharded() -> bool:
    """Whether a layer's blocks are dropped after the forward pass, as accelerate's configuration has it."""
    return os.environ.get("FSDP_RESHARD_AFTER_FORWARD", "true").lower() not in ("false", "0", "shard_grad_op", "2")
