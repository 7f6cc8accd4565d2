"""From a Hugging Face Qwen2 or Qwen3 (weights, configuration, byte-level BPE tokenizer) to a GGUF file."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
from numpy.typing import NDArray

from shammah_convert.files import publish
from shammah_convert.names import gguf_name, hf_names

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


class BadBase(ValueError):
    """Weights, configuration and tokenizer do not make a model; the text says why."""


@dataclass(frozen=True, slots=True)
class BaseConfig:
    """The shape of a Qwen, in Hugging Face's words where it has some."""

    architecture: str
    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    context_tokens: int
    rope_theta: float = 10000.0
    rms_epsilon: float = 1e-6
    is_tied: bool = False

    @classmethod
    def from_hf(cls, config: Mapping[str, Any]) -> "BaseConfig":
        """Read a `config.json`.

        Raises:
            BadBase: It is neither a Qwen2 nor a Qwen3, or a field is missing.
        """
        if config.get("model_type") not in ("qwen2", "qwen3"):
            raise BadBase(f"model_type is {config.get('model_type')!r}, not qwen2 or qwen3")
        # transformers 5 moved rope_theta into rope_parameters; older files have it at the top.
        rope = config.get("rope_parameters") or config
        try:
            return cls(
                architecture=str(config["model_type"]),
                hidden_size=int(config["hidden_size"]),
                intermediate_size=int(config["intermediate_size"]),
                layers=int(config["num_hidden_layers"]),
                heads=int(config["num_attention_heads"]),
                kv_heads=int(config["num_key_value_heads"]),
                head_size=int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]),
                context_tokens=int(config["max_position_embeddings"]),
                rope_theta=float(rope["rope_theta"]),
                rms_epsilon=float(config["rms_norm_eps"]),
                is_tied=bool(config.get("tie_word_embeddings", False)),
            )
        except KeyError as error:
            raise BadBase(f"the configuration lacks {error}") from error


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A byte-level BPE vocabulary, in the order of the token ids.

    Attributes:
        tokens: In the printable form of byte-level BPE ("\u0120" for a space in front).
        controls: The tokens that stand for no text.
        merges: "left right", best first.
        end: The token that ends an answer.
        padding: The token that fills batches.
    """

    tokens: tuple[str, ...]
    controls: frozenset[str]
    merges: tuple[str, ...]
    end: str = "<|im_end|>"
    padding: str = "<|endoftext|>"

    @classmethod
    def from_tokenizer_json(cls, text: str) -> "Vocabulary":
        """Read a `tokenizer.json`.

        Raises:
            BadBase: It is no BPE, or its ids have holes.
        """
        data = json.loads(text)
        if data["model"]["type"] != "BPE":
            raise BadBase(f"the tokenizer is {data['model']['type']}, not BPE")
        added = {token["content"]: int(token["id"]) for token in data.get("added_tokens", ())}
        ids = {int(index): token for token, index in {**data["model"]["vocab"], **added}.items()}
        if sorted(ids) != list(range(len(ids))):
            raise BadBase("the token ids have holes")
        return cls(
            tokens=tuple(ids[index] for index in range(len(ids))),
            controls=frozenset(token["content"] for token in data.get("added_tokens", ()) if token["special"]),
            merges=tuple(m if isinstance(m, str) else " ".join(m) for m in data["model"]["merges"]),
        )


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
    _add_vocabulary(writer, vocabulary, rows=weights["model.embed_tokens.weight"].shape[0])
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
    weights = read_safetensors(sorted(folder.glob("*.safetensors")))
    if config.is_tied:
        weights.pop("lm_head.weight", None)
    write_base(path, config, weights, vocabulary, about, quantization)


def read_safetensors(paths: Iterable[Path]) -> dict[str, NDArray[np.float32]]:
    """Read all tensors as float32; safetensors' own numpy reader refuses BF16, which Qwen is stored in.

    Raises:
        BadBase: A tensor is of a type other than F32, F16 or BF16.
    """
    weights: dict[str, NDArray[np.float32]] = {}
    for path in paths:
        data = np.memmap(path, dtype=np.uint8, mode="r")
        start = 8 + int(data[:8].view("<u8")[0])
        header = json.loads(bytes(data[8:start]))
        header.pop("__metadata__", None)
        for name, entry in header.items():
            first, last = entry["data_offsets"]
            raw = np.array(data[start + first : start + last])
            weights[name] = _to_float32(raw, entry["dtype"]).reshape(entry["shape"])
    return weights


def _to_float32(raw: NDArray[np.uint8], kind: str) -> NDArray[np.float32]:
    match kind:
        case "F32":
            return raw.view("<f4")
        case "F16":
            return raw.view("<f2").astype(np.float32)
        case "BF16":  # the upper half of a float32
            return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)
        case _:
            raise BadBase(f"a tensor is of type {kind}, not F32, F16 or BF16")


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


def shape_of(config: BaseConfig, name: str, rows: int) -> tuple[int, ...]:
    """The shape of a tensor by its Hugging Face name; `rows` is the vocabulary's size."""
    hidden, feed_forward = config.hidden_size, config.intermediate_size
    queries, keys = config.heads * config.head_size, config.kv_heads * config.head_size
    matrices = {
        "embed_tokens": (rows, hidden),
        "lm_head": (rows, hidden),
        "q_proj": (queries, hidden),
        "k_proj": (keys, hidden),
        "v_proj": (keys, hidden),
        "o_proj": (hidden, queries),
        "gate_proj": (feed_forward, hidden),
        "up_proj": (feed_forward, hidden),
        "down_proj": (hidden, feed_forward),
        "q_norm": (config.head_size,),
        "k_norm": (config.head_size,),
    }
    part, kind = name.split(".")[-2:]
    shape = matrices.get(part, (hidden,))
    return shape[:1] if kind == "bias" else shape


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


def _add_vocabulary(writer: gguf.GGUFWriter, vocabulary: Vocabulary, rows: int) -> None:
    # Real Qwens have more embedding rows than tokens; llama.cpp wants a distinct token for each.
    fillers = [f"[PAD{index}]" for index in range(len(vocabulary.tokens), rows)]
    kinds = gguf.TokenType
    types = [kinds.CONTROL if t in vocabulary.controls else kinds.NORMAL for t in vocabulary.tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([*vocabulary.tokens, *fillers])
    writer.add_token_types([*types, *[kinds.UNUSED] * len(fillers)])
    writer.add_token_merges(list(vocabulary.merges))
    writer.add_eos_token_id(vocabulary.tokens.index(vocabulary.end))
    writer.add_pad_token_id(vocabulary.tokens.index(vocabulary.padding))
    writer.add_add_bos_token(False)
