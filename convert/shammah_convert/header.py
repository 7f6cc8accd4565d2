"""What a GGUF says of a model's attention, read in a millisecond: without its vocabulary, tensors or gguf-py.

The format is GGUF v2 and v3, little-endian (docs/gguf.md of ggml-org/ggml).
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from shammah_convert.shape import BadBase

MAGIC, VERSIONS = b"GGUF", (2, 3)
MOST_KEYS, MOST_TEXT_BYTES = 1 << 16, 1 << 20
_STRING, _ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}

Scalar = int | float | str


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
        try:
            with path.open("rb") as stream:
                return cls._of(_scalars(stream))
        except (OSError, ValueError, LookupError, TypeError, ArithmeticError, struct.error) as error:
            raise BadBase(f"{path} does not tell its shape: {error!r}") from error

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


def _scalars(stream: BinaryIO) -> dict[str, Scalar]:
    """Every scalar that stands before the tokenizer, which fills the rest of a header."""
    if stream.read(4) != MAGIC or _number(stream, "I") not in VERSIONS:
        raise ValueError("it is no GGUF of version 2 or 3")
    _number(stream, "Q")  # tensors
    values: dict[str, Scalar] = {}
    for _ in range(min(_number(stream, "Q"), MOST_KEYS)):
        key = _text(stream)
        if key.startswith("tokenizer.") and f"{values.get('general.architecture')}.block_count" in values:
            break
        kind = _number(stream, "I")
        if kind == _ARRAY:
            _skip(stream)
        else:
            values[key] = _text(stream) if kind == _STRING else _number(stream, _SCALARS[kind])
    return values


def _skip(stream: BinaryIO) -> None:
    """Go past an array."""
    kind, count = _number(stream, "I"), _number(stream, "Q")
    if kind != _STRING:
        stream.seek(count * struct.calcsize(f"<{_SCALARS[kind]}"), 1)
        return
    for _ in range(count):
        stream.seek(_number(stream, "Q"), 1)


def _text(stream: BinaryIO) -> str:
    size = _number(stream, "Q")
    if size > MOST_TEXT_BYTES:
        raise ValueError(f"a text is {size} bytes long")
    return stream.read(size).decode("utf-8")


def _number(stream: BinaryIO, kind: str) -> int:
    found: int = struct.unpack(f"<{kind}", stream.read(struct.calcsize(f"<{kind}")))[0]
    return found
