"""The served GGUF as a transformers model with its tokenizer: the same weights, the same token ids."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from torch import nn
from transformers import PreTrainedModel, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

from shammah_convert.opened import OpenBase
from shammah_convert.shape import BaseConfig
from shammah_convert.vocabulary import QWEN2_SPLIT, Vocabulary
from shammah_trainer.dataset import Encoder

BYTES_A_PARAMETER = 4


@dataclass(frozen=True, slots=True)
class Base:
    """An open base model.

    Attributes:
        model: Frozen, float32, in evaluation mode.
        encoder: Conversations to the ids that llama.cpp would see.
        padding: The token that fills batches.
    """

    model: PreTrainedModel
    encoder: Encoder
    config: BaseConfig
    name: str
    size_label: str
    tensor_types: tuple[str, ...]
    padding: int


def open_base(path: Path) -> Base:
    """Unpack a GGUF Qwen2 or Qwen3 to float32.

    Raises:
        BadBase: It is none, or a tensor is missing or has another shape.
    """
    file = OpenBase(path)
    vocabulary = file.vocabulary()
    return Base(
        model=_model(file),
        encoder=Encoder(tokenizer(vocabulary), file.chat_format),
        config=file.config,
        name=file.name,
        size_label=file.size_label,
        tensor_types=file.tensor_types,
        padding=vocabulary.tokens.index(vocabulary.padding),
    )


def _model(file: OpenBase) -> PreTrainedModel:
    """The model without a second copy of its weights: built empty, and given each tensor as it is unpacked."""
    with torch.device("meta"):
        model = _empty(file.config, file.rows)
    for name in file.names():
        # What is stored in float32 comes as a view of the file, which nothing may write to.
        _assign(model, name, torch.from_numpy(np.require(file.tensor(name), requirements="W")))
    if file.config.is_tied:
        model.tie_weights()
    # Rotary frequencies are computed, not stored: a meta device computes none.
    model.model.rotary_emb = type(model.model.rotary_emb)(model.config)
    return model.eval().requires_grad_(False)


def _assign(model: nn.Module, name: str, values: torch.Tensor) -> None:
    module, _, parameter = name.rpartition(".")
    setattr(model.get_submodule(module), parameter, nn.Parameter(values, requires_grad=False))


def _empty(config: BaseConfig, rows: int) -> PreTrainedModel:
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
