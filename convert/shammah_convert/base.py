"""A Qwen2 or Qwen3 as a GGUF file, from its shape, weights and byte-level BPE tokenizer."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
from numpy.typing import NDArray

from shammah_convert.files import publish
from shammah_convert.ggml import block, pack
from shammah_convert.names import gguf_name, hf_names
from shammah_convert.shape import BadBase, BaseConfig, shape_of
from shammah_convert.vocabulary import Vocabulary, add_vocabulary

Quantization = Literal["F32", "F16", "BF16", "Q8_0"]
Extra = str | int | float | bool

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_FILE_TYPES = {
    "F32": gguf.LlamaFileType.ALL_F32,
    "F16": gguf.LlamaFileType.MOSTLY_F16,
    "BF16": gguf.LlamaFileType.MOSTLY_BF16,
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
        weights: By Hugging Face name, as floats, read one by one; rows beyond the tokens get filler tokens.
        vocabulary: The tokenizer.
        about: Name, licence, chat template.
        quantization: For matrices; vectors stay F32.

    Raises:
        BadBase: A tensor is missing or left over, or has another shape.
    """
    names = list(hf_names(config.architecture, config.layers, config.is_tied))
    rows = _check_names(weights, names, len(vocabulary.tokens))
    tensors = {name: _Tensor.of(shape_of(config, name, rows), quantization) for name in names}
    partial = path.with_name(path.name + ".partial")
    writer = gguf.GGUFWriter(partial, config.architecture)
    try:
        add_about(writer, about, _FILE_TYPES[quantization])
        add_config(writer, config)
        add_vocabulary(writer, vocabulary, rows)
        _write_header(writer, {gguf_name(config.architecture, config.layers, name): tensors[name] for name in names})
        for name, tensor in tensors.items():  # one at a time: they may not fit into memory together
            writer.write_tensor_data(tensor.pack(name, weights[name]))
        writer.close()
        publish(partial, path)
    finally:
        writer.close()
        partial.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Tensor:
    """What becomes of a tensor: its shape, and the type that it is stored in."""

    shape: tuple[int, ...]
    kind: gguf.GGMLQuantizationType

    @classmethod
    def of(cls, shape: tuple[int, ...], quantization: Quantization) -> "_Tensor":
        """Matrices have the wanted type, as far as their rows are whole blocks; vectors have F32."""
        kinds = gguf.GGMLQuantizationType
        if len(shape) == 1:
            return cls(shape, kinds.F32)
        kind = kinds[quantization]
        return cls(shape, kinds.F16 if shape[-1] % block(kind)[0] else kind)

    def announce(self, writer: gguf.GGUFWriter, name: str) -> None:
        """Put it into the file's header."""
        floats: dict[str, np.dtype[Any]] = {"F32": np.dtype(np.float32), "F16": np.dtype(np.float16)}
        dtype = floats.get(self.kind.name)
        stored = self.shape
        if dtype is None:
            stored, dtype = gguf.quant_shape_to_byte_shape(self.shape, self.kind), np.dtype(np.uint8)
        writer.add_tensor_info(name, stored, dtype, math.prod(stored) * dtype.itemsize, self.kind)

    def pack(self, name: str, values: NDArray[Any]) -> NDArray[Any]:
        """Values as they are stored.

        Raises:
            BadBase: They are of another shape.
        """
        if values.shape != self.shape:
            raise BadBase(f"{name} is of shape {values.shape}, not {self.shape}")
        kinds = gguf.GGMLQuantizationType
        values = np.ascontiguousarray(values, dtype=np.float32)
        match self.kind:
            case kinds.F32:
                return values
            case kinds.F16:
                return values.astype(np.float16)
            case kinds.BF16:  # gguf-py's way takes five times the memory
                return pack(values, kinds.BF16)
            case _:
                return np.asarray(gguf.quants.quantize(values, self.kind))


def _write_header(writer: gguf.GGUFWriter, tensors: Mapping[str, _Tensor]) -> None:
    """Write all that stands before the tensors' values."""
    for name, tensor in tensors.items():
        tensor.announce(writer, name)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()


def _check_names(weights: Mapping[str, NDArray[Any]], names: list[str], tokens: int) -> int:
    """The embedding's rows, once it is sure that nothing is missing or left over."""
    if set(weights) != set(names):
        missing, surplus = sorted(set(names) - set(weights)), sorted(set(weights) - set(names))
        raise BadBase(f"tensors missing: {missing[:3]}, left over: {surplus[:3]}")
    rows = int(weights["model.embed_tokens.weight"].shape[0])
    if rows < tokens:
        raise BadBase(f"{tokens} tokens do not fit an embedding of {rows} rows")
    return rows


def add_about(writer: gguf.GGUFWriter, about: About, file_type: gguf.LlamaFileType) -> None:
    """Write what a file says of itself into its header.

    Raises:
        BadBase: A key of our own is none.
    """
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(about.name)
    writer.add_license(about.license)
    if about.description:
        writer.add_description(about.description)
    writer.add_file_type(file_type)
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


def add_config(writer: gguf.GGUFWriter, config: BaseConfig) -> None:
    """Write a shape into a file's header."""
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
