"""From a Hugging Face Qwen2 or Qwen3 (weights, configuration, byte-level BPE tokenizer) to a GGUF file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
from numpy.typing import NDArray

from shammah_convert.files import publish
from shammah_convert.names import gguf_name, hf_names
from shammah_convert.shape import BadBase, BaseConfig, shape_of
from shammah_convert.stored import BadTensors, StoredTensors
from shammah_convert.vocabulary import Vocabulary, add_vocabulary

Quantization = Literal["F32", "F16", "Q8_0"]
Extra = str | int | float | bool

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
Q8_0_BLOCK = 32
_FILE_TYPES = {
    "F32": gguf.LlamaFileType.ALL_F32,
    "F16": gguf.LlamaFileType.MOSTLY_F16,
    "Q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
}


@dataclass(frozen=True, slots=True)
class About:
    """What the file says of itself.

    Attributes:
        extra: Values for keys of our own, which begin with `shammah.`.
    """

    name: str
    license: str
    description: str = ""
    chat_template: str = CHAT_TEMPLATE
    extra: Mapping[str, Extra] = field(default_factory=dict)


def write_base(
    path: Path,
    config: BaseConfig,
    weights: Mapping[str, NDArray[Any]],
    vocabulary: Vocabulary,
    about: About,
    quantization: Quantization = "Q8_0",
) -> None:
    """Write a model; the file appears under its name only when it is whole and on disk.

    Args:
        path: Where to.
        config: The shape.
        weights: By Hugging Face name, as floats; more rows than tokens are given filler tokens.
        vocabulary: The tokenizer.
        about: Name, licence, chat template.
        quantization: For matrices; vectors stay F32.

    Raises:
        BadBase: A tensor is missing or left over, or has another shape.
    """
    names = list(hf_names(config.architecture, config.layers, config.is_tied))
    _check(config, weights, vocabulary, names)
    partial = path.with_name(path.name + ".partial")
    writer = gguf.GGUFWriter(partial, config.architecture)
    _add_about(writer, about, quantization)
    _add_config(writer, config)
    add_vocabulary(writer, vocabulary, rows=weights["model.embed_tokens.weight"].shape[0])
    for name in names:
        data, kind = _pack(np.asarray(weights[name], dtype=np.float32), quantization)
        writer.add_tensor(gguf_name(config.architecture, config.layers, name), data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    publish(partial, path)


def write_base_from_folder(folder: Path, path: Path, about: About, quantization: Quantization = "Q8_0") -> None:
    """Write the model of a Hugging Face folder (config.json, *.safetensors, tokenizer.json).

    Raises:
        BadBase: The folder does not hold a Qwen2 or Qwen3.
    """
    config = BaseConfig.from_hf(json.loads((folder / "config.json").read_text("utf-8")))
    vocabulary = Vocabulary.from_tokenizer_json((folder / "tokenizer.json").read_text("utf-8"))
    try:
        weights = StoredTensors(sorted(folder.glob("*.safetensors")))
    except BadTensors as error:
        raise BadBase(str(error)) from error
    if config.is_tied:
        weights = weights.without("lm_head.weight")
    write_base(path, config, weights, vocabulary, about, quantization)


def _check(config: BaseConfig, weights: Mapping[str, NDArray[Any]], vocabulary: Vocabulary, names: list[str]) -> None:
    if set(weights) != set(names):
        missing, surplus = sorted(set(names) - set(weights)), sorted(set(weights) - set(names))
        raise BadBase(f"tensors missing: {missing[:3]}, left over: {surplus[:3]}")
    rows = weights["model.embed_tokens.weight"].shape[0]
    if rows < len(vocabulary.tokens):
        raise BadBase(f"{len(vocabulary.tokens)} tokens do not fit an embedding of {rows} rows")
    for name in names:
        if weights[name].shape != (wanted := shape_of(config, name, rows)):
            raise BadBase(f"{name} is of shape {weights[name].shape}, not {wanted}")


def _pack(data: NDArray[np.float32], quantization: Quantization) -> tuple[NDArray[Any], gguf.GGMLQuantizationType]:
    """Matrices in the wanted type, as far as their rows are whole blocks; vectors in F32."""
    kinds = gguf.GGMLQuantizationType
    if data.ndim == 1 or quantization == "F32":
        return data, kinds.F32
    if quantization == "F16" or data.shape[-1] % Q8_0_BLOCK:
        return data.astype(np.float16), kinds.F16
    return gguf.quants.quantize(data, kinds.Q8_0), kinds.Q8_0


def _add_about(writer: gguf.GGUFWriter, about: About, quantization: Quantization) -> None:
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(about.name)
    writer.add_license(about.license)
    if about.description:
        writer.add_description(about.description)
    writer.add_file_type(_FILE_TYPES[quantization])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_chat_template(about.chat_template)
    for key, value in about.extra.items():
        if not key.startswith("shammah."):
            raise BadBase(f"{key!r} is no key of ours: it does not begin with 'shammah.'")
        writer.add_key_value(key, value, _kind(value))


def _kind(value: Extra) -> gguf.GGUFValueType:
    kinds = gguf.GGUFValueType
    match value:
        case bool():
            return kinds.BOOL
        case int():
            return kinds.INT64
        case float():
            return kinds.FLOAT64
        case str():
            return kinds.STRING


def _add_config(writer: gguf.GGUFWriter, config: BaseConfig) -> None:
    writer.add_context_length(config.context_tokens)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_key_length(config.head_size)
    writer.add_value_length(config.head_size)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_layer_norm_rms_eps(config.rms_epsilon)
