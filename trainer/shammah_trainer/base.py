"""The served GGUF as a transformers model with its tokenizer: the same blocks, the same token ids."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from torch import nn
from transformers import PreTrainedModel, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

from shammah_convert.ggml import unpack
from shammah_convert.opened import OpenBase
from shammah_convert.shape import BaseConfig
from shammah_convert.vocabulary import QWEN2_SPLIT, Vocabulary
from shammah_trainer.dataset import Encoder
from shammah_trainer.layers import Norm, PackedEmbedding, PackedHead, PackedLinear
from shammah_trainer.packed import Packed, Workspace

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"


@dataclass(frozen=True, slots=True)
class Compute:
    """How a base is computed with.

    Attributes:
        dtype: Of matrix products and of what flows between layers.
        workspace_values: So many unpacked values are kept; the largest matrix fits in any case.
        threads: That unpack.
        is_sharded: Whether the blocks stay in the file for now: each process will take its share of them.
    """

    dtype: torch.dtype = torch.float32
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    workspace_values: int = 0
    threads: int = 1
    is_sharded: bool = False


@dataclass(frozen=True, slots=True)
class Base:
    """An open base model.

    Attributes:
        model: Frozen; its linear layers, embedding and output layer hold packed blocks.
        workspace: Where those are unpacked.
        encoder: Conversations to the ids that llama.cpp would see.
        padding: The token that fills batches.
    """

    model: PreTrainedModel
    workspace: Workspace
    encoder: Encoder
    config: BaseConfig
    name: str
    size_label: str
    tensor_types: tuple[str, ...]
    padding: int


def open_base(path: Path, compute: Compute | None = None) -> Base:
    """Open a GGUF Qwen2 or Qwen3 without unpacking it: a large file costs what is used of it.

    Raises:
        BadBase: It is none, a tensor is missing or has another shape, or is of a type that cannot be unpacked.
    """
    file = OpenBase(path)
    return build(file, encoder(file), compute or Compute())


def build(file: OpenBase, encoder: Encoder, compute: Compute) -> Base:
    """Make a model of an open file, whose encoder may have been of use before.

    Raises:
        BadBase: A tensor is missing or has another shape, or is of a type that cannot be unpacked.
    """
    workspace = Workspace(compute.workspace_values, compute.dtype, compute.device, compute.threads)
    return Base(
        model=_model(file, compute, workspace),
        workspace=workspace,
        encoder=encoder,
        config=file.config,
        name=file.name,
        size_label=file.size_label,
        tensor_types=file.tensor_types,
        padding=file.padding,
    )


def encoder(file: OpenBase) -> Encoder:
    """Conversations to the ids that llama.cpp would see.

    Raises:
        BadBase: The vocabulary is no byte-level BPE with Qwen2's split.
    """
    return Encoder(tokenizer(file.vocabulary()), file.chat_format, is_shared=False)


def _model(file: OpenBase, compute: Compute, workspace: Workspace) -> PreTrainedModel:
    """The model, built empty, and given each tensor as the file has it."""
    with torch.device("meta"):
        model = empty_model(file.config, file.rows)
    for name in file.names():
        module, _, kind = name.rpartition(".")
        data, stored = file.packed(name)
        if data.ndim == 1:
            values = torch.from_numpy(unpack(data, stored)).to(compute.device)
            if kind == "bias":
                model.get_submodule(module).bias = nn.Parameter(values.to(compute.dtype), requires_grad=False)
            else:
                model.set_submodule(module, Norm(values, file.config.rms_epsilon))
            continue
        packed = Packed.of(data, stored)
        packed.check(compute.device)
        packed = packed if compute.is_sharded else packed.to(compute.device)
        if name == EMBEDDING:
            model.model.embed_tokens = PackedEmbedding(packed, compute.dtype)
        if name == HEAD or (name == EMBEDDING and file.config.is_tied):
            model.lm_head = PackedHead(packed, workspace)
        elif name != EMBEDDING:
            model.set_submodule(module, PackedLinear(packed, workspace))
    # Rotary frequencies are computed, not stored: a meta device computes none.
    model.model.rotary_emb = type(model.model.rotary_emb)(model.config).to(compute.device)
    return model.eval().requires_grad_(False)


def empty_model(config: BaseConfig, rows: int) -> PreTrainedModel:
    """A transformers model of a shape; its weights are made on torch's default device."""
    shape = {
        "vocab_size": rows,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_size,
        "max_position_embeddings": config.context_tokens,
        "rms_norm_eps": config.rms_epsilon,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "tie_word_embeddings": config.is_tied,
        "attention_bias": False,
        "use_cache": False,
    }
    if config.architecture == "qwen3":
        return Qwen3ForCausalLM(Qwen3Config(**shape))
    return Qwen2ForCausalLM(Qwen2Config(**shape))


def tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """The tokenizer that llama.cpp makes of the same vocabulary: byte-level BPE, no normalisation."""
    ids = {token: index for index, token in enumerate(vocabulary.tokens)}
    merges = [(left, right) for left, _, right in (merge.partition(" ") for merge in vocabulary.merges)]
    result = Tokenizer(models.BPE(ids, merges))
    split = pre_tokenizers.Split(Regex(QWEN2_SPLIT), behavior="isolated")
    result.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    result.decoder = decoders.ByteLevel()
    result.add_special_tokens(
        [AddedToken(token, special=True) for token in sorted(vocabulary.controls, key=ids.__getitem__)]
    )
    result.add_tokens(
        [AddedToken(token, normalized=False) for token in sorted(vocabulary.defined, key=ids.__getitem__)]
    )
    return result
