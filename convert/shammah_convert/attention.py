"""What a GGUF says of a model's attention, read in a millisecond: without its vocabulary, tensors or gguf-py."""

import mmap
from dataclasses import dataclass
from pathlib import Path

from shammah_convert import header
from shammah_convert.files import in_words
from shammah_convert.header import Scalar
from shammah_convert.shape import BadBase


@dataclass(frozen=True, slots=True)
class Attention:
    """What of a model's shape its key-value cache depends on.

    Attributes:
        context_tokens: That it was trained for.
    """

    layers: int
    kv_heads: int
    head_size: int
    context_tokens: int

    @property
    def token_bytes(self) -> int:
        """Keys and values of one token, float16."""
        return self.layers * self.kv_heads * self.head_size * 2 * 2

    @classmethod
    def read(cls, path: Path) -> "Attention":
        """Read the header of a GGUF, of a split one its first part.

        Raises:
            BadBase: It is no GGUF, is cut off, or does not say it.
        """
        return cls.read_named(path)[1]

    @classmethod
    def read_named(cls, path: Path) -> tuple[str, "Attention"]:
        """The same, with the architecture's name before it.

        Raises:
            BadBase: It is no GGUF, is cut off, or does not say it.
        """
        try:
            values = _scalars(path)
            return str(values["general.architecture"]), cls._of(values)
        except (OSError, ValueError, LookupError, TypeError, ArithmeticError) as error:
            raise BadBase(f"{path} does not tell its shape: {in_words(error)}") from error

    @classmethod
    def _of(cls, values: dict[str, Scalar]) -> "Attention":
        kind = values["general.architecture"]
        heads = int(values[f"{kind}.attention.head_count"])
        return cls(
            layers=int(values[f"{kind}.block_count"]),
            kv_heads=int(values.get(f"{kind}.attention.head_count_kv", heads)),
            head_size=int(
                values.get(f"{kind}.attention.key_length") or int(values[f"{kind}.embedding_length"]) // heads
            ),
            context_tokens=int(values[f"{kind}.context_length"]),
        )


def _scalars(path: Path) -> dict[str, Scalar]:
    """Every scalar that stands before the tokenizer, which fills the rest of a header."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        values: dict[str, Scalar] = {}
        for field in header.fields(data):
            if field.name.startswith("tokenizer.") and f"{values.get('general.architecture')}.block_count" in values:
                break
            value = () if field.kind == header.ARRAY else header.value(data, field)
            if not isinstance(value, tuple):
                values[field.name] = value
        return values
