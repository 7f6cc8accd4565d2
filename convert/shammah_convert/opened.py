"""A base model's GGUF, read back: shape, vocabulary, chat format, and tensors as floats."""

from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType
from numpy.typing import NDArray

from shammah_convert.chat import ChatFormat
from shammah_convert.ggml import unpack
from shammah_convert.names import gguf_name, hf_names
from shammah_convert.parts import open_parts
from shammah_convert.shape import BadBase, BaseConfig, shape_of
from shammah_convert.split import stem_of
from shammah_convert.vocabulary import Vocabulary

MOST_LAYERS = 512
"""LLAMA_MAX_LAYERS of llama.cpp's llama-hparams.h."""


class OpenBase:
    """A GGUF Qwen2 or Qwen3, mapped; tensors are unpacked when they are asked for.

    Attributes:
        parts: What is mapped: the header, and all tensors as they are stored.
    """

    def __init__(self, path: Path) -> None:
        """Map the file, with all its parts where it is split, and read what it says of itself.

        Raises:
            BadBase: It is no GGUF of a dense Qwen2 or Qwen3, or a part of it is missing.
        """
        try:
            self.parts = open_parts(path)
            self._file, self._tensors = self.parts.header, self.parts.tensors
            self.architecture = str(self._value("general.architecture"))
            self.config = self._read_config()
            self.name = str(self._value("general.name") or stem_of(path))
            self.chat_format = ChatFormat.of(self.architecture, self._value("tokenizer.chat_template"))
        except BadBase:
            raise
        except (OSError, ValueError, TypeError, ArithmeticError) as error:  # a BadHeader, or a value of another type
            raise BadBase(f"{path} cannot be read as a Qwen: {error!r}") from error

    @property
    def parameters(self) -> int:
        """How many values all tensors hold."""
        return sum(tensor.values for tensor in self._tensors.values())

    @property
    def size_bytes(self) -> int:
        """What all tensors take in the file."""
        return sum(tensor.data.nbytes for tensor in self._tensors.values())

    @property
    def largest_bytes(self) -> int:
        """What the largest tensor takes in the file."""
        return max(tensor.data.nbytes for tensor in self._tensors.values())

    @property
    def size_label(self) -> str:
        """The parameters in short, as GGUF file names have it: 11M, 1.5B."""
        return size_label(self.parameters)

    @property
    def tensor_types(self) -> tuple[str, ...]:
        """Every type that a tensor is stored in."""
        return tuple(sorted({tensor.kind.name for tensor in self._tensors.values()}))

    @property
    def rows(self) -> int:
        """Rows of the embedding; at least as many as there are tokens."""
        return self._tensors["token_embd.weight"].shape[0]

    @property
    def padding(self) -> int:
        """The token that fills batches: the one that ends an answer, where no other is named.

        Raises:
            BadBase: The file names neither.
        """
        named = (self._value(f"tokenizer.ggml.{kind}_token_id") for kind in ("padding", "eos"))
        found = next((token for token in named if isinstance(token, int)), None)
        if found is None:
            raise BadBase("the file names no token that ends an answer")
        return found

    def vocabulary(self) -> Vocabulary:
        """The tokenizer's vocabulary.

        Raises:
            BadBase: It is no byte-level BPE with Qwen2's split.
        """
        return Vocabulary.from_gguf(self._file)

    def names(self) -> list[str]:
        """All tensors, by their Hugging Face names."""
        return list(hf_names(self.architecture, self.config.layers, self.config.is_tied))

    def tensor(self, hf_name: str) -> NDArray[np.float32]:
        """A tensor as floats, in Hugging Face's shape.

        Raises:
            BadBase: It is missing, or has another shape than the configuration says.
        """
        packed, kind = self.packed(hf_name)
        return unpack(packed, kind)

    def packed(self, hf_name: str) -> tuple[NDArray[np.uint8], GGMLQuantizationType]:
        """A tensor's blocks as they lie in the mapped file, (rows, bytes a row) or (bytes,), and their type.

        Raises:
            BadBase: It is missing, or has another shape than the configuration says.
        """
        name = gguf_name(self.architecture, self.config.layers, hf_name)
        if name not in self._tensors:
            raise BadBase(f"the file lacks {name}")
        tensor = self._tensors[name]
        if tensor.shape != (wanted := shape_of(self.config, hf_name, self.rows)):
            raise BadBase(f"{name} is of shape {tensor.shape}, not {wanted}")
        return tensor.data, tensor.kind

    def _read_config(self) -> BaseConfig:
        if self.architecture not in ("qwen2", "qwen3"):
            raise BadBase(f"its architecture is {self.architecture!r}, not qwen2 or qwen3")
        heads, layers = int(self._of("attention.head_count")), int(self._of("block_count"))
        if not 0 < layers <= min(MOST_LAYERS, len(self._tensors)):  # names are made for each
            raise BadBase(f"it says that it has {layers:,} layers, and holds {len(self._tensors)} tensors")
        width = int(self._of("embedding_length"))
        return BaseConfig(
            architecture=self.architecture,
            hidden_size=width,
            intermediate_size=int(self._of("feed_forward_length")),
            layers=layers,
            heads=heads,
            kv_heads=int(self._of("attention.head_count_kv", heads)),
            head_size=int(self._of("attention.key_length", width // heads)),
            context_tokens=int(self._of("context_length")),
            rope_theta=float(self._of("rope.freq_base", 10000.0)),
            rms_epsilon=float(self._of("attention.layer_norm_rms_epsilon")),
            is_tied="output.weight" not in self._tensors,
        )

    def _of(self, key: str, default: Any = None) -> Any:
        """A value of the architecture's own."""
        value = self._value(f"{self.architecture}.{key}")
        if value is None and default is None:
            raise BadBase(f"the file lacks {self.architecture}.{key}")
        return default if value is None else value

    def _value(self, key: str) -> Any:
        return self._file.value(key)


def size_label(parameters: int) -> str:
    """Parameters as GGUF's naming convention writes them: a number below 1,000 and a unit."""
    for unit, size in (("T", 10**12), ("B", 10**9), ("M", 10**6)):
        count = parameters / size
        if round(count * 1000) >= 1000:  # 999.6 thousand is a million
            return f"{count:.0f}{unit}" if count >= 9.95 else f"{count:.1f}".removesuffix(".0") + unit
    return f"{max(1, round(parameters / 1000))}K"
