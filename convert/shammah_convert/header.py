"""A GGUF's header in one pass, without gguf-py: where each field and each tensor stands; values come when asked for.

The format is GGUF v2 and v3, little-endian (docs/gguf.md of ggml-org/ggml). A vocabulary of 152,000 tokens is gone past
in 0.05 s; gguf-py's reader makes arrays of each token, 5 s and 300 MB. Files come from anywhere: every length is
compared with what is left of the file before anything is made of it, and whatever is wrong is a `BadHeader`.
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass

MAGIC, VERSIONS = b"GGUF", (2, 3)
STRING, ARRAY = 8, 9
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""The types of values, as GGUF numbers them, in `struct`'s letters."""

FIRST_FIELD = 24
"""Behind the magic, the version, and how many tensors and fields there are."""

MOST_DIMENSIONS = 4
"""GGML_MAX_DIMS of ggml.h."""

MOST_ENTRIES = 1 << 16
"""Fields, or tensors: a hundred times what a Qwen of 80 layers has."""

MOST_TEXTS = 1 << 24
"""Of an array: a hundred times Qwen's vocabulary, and gone past in two seconds."""

MOST_NUMBERS = MOST_TEXTS
"""Of an array whose values are asked for: each takes forty bytes here, one in the file."""

MOST_BYTES = 1 << 24
"""Of a text: a thousand times a chat template."""

MOST_TEXTS_BYTES = 1 << 28
"""Of an array's texts: fifty times Qwen's vocabulary."""

_LENGTH = struct.Struct("<Q")

Buffer = bytes | mmap.mmap
Scalar = int | float | str
Value = Scalar | tuple[Scalar, ...]


class BadHeader(ValueError):
    """A file is no GGUF that can be read here; the text says why."""


@dataclass(frozen=True, slots=True)
class Field:
    """A key with its value, and where they stand.

    Attributes:
        name: The key.
        kind: The value's type, as GGUF numbers it.
        start: Of the field's first byte.
        value: Of the value's first byte.
        stop: Behind the last.
    """

    name: str
    kind: int
    start: int
    value: int
    stop: int


@dataclass(frozen=True, slots=True)
class Info:
    """What the header says of a tensor.

    Attributes:
        dimensions: The fastest first, as ggml has them.
        kind: As ggml numbers its types.
        offset: From where the tensors begin.
        start: Of the first byte of all this in the header.
        stop: Behind the last; the offset is the last eight.
    """

    name: str
    dimensions: tuple[int, ...]
    kind: int
    offset: int
    start: int
    stop: int


class Cursor:
    """A place in a file; no read goes past the file's end."""

    def __init__(self, data: Buffer, place: int = 0) -> None:
        self.data = data
        self.place = place

    def skip(self, size: int) -> int:
        """Go past so many bytes; where they begin.

        Raises:
            BadHeader: There are not so many.
        """
        start, stop = self.place, self.place + size
        if stop > len(self.data):
            raise BadHeader(f"it is cut off: {size:,} bytes are to stand at {start:,}, and it has {len(self.data):,}")
        self.place = stop
        return start

    def numbers(self, kinds: str) -> tuple[int, ...]:
        """Numbers, one for each of `struct`'s letters."""
        size = struct.calcsize(f"<{kinds}")
        return struct.unpack_from(f"<{kinds}", self.data, self.skip(size))

    def number(self, kind: str) -> int:
        """One number."""
        return self.numbers(kind)[0]

    def text(self) -> str:
        """A text that is short, and needed at once."""
        size = self.number("Q")
        start = self.skip(size)
        if size > MOST_BYTES:
            raise BadHeader(f"a text of {size:,} bytes is more than makes sense")
        return decoded(self.data[start : start + size])


def counts(data: Buffer) -> tuple[int, int]:
    """How many tensors and fields a file says that it has.

    Raises:
        BadHeader: It is no GGUF of a version that is known.
    """
    cursor = Cursor(data)
    start = cursor.skip(len(MAGIC))
    if data[start : start + len(MAGIC)] != MAGIC:
        raise BadHeader("it does not begin as a GGUF does")
    version = cursor.number("I")
    if version not in VERSIONS:
        is_swapped = int.from_bytes(version.to_bytes(4, "little"), "big") in VERSIONS
        raise BadHeader("it is big-endian" if is_swapped else f"it is a GGUF of version {version}, not 2 or 3")
    tensors, fields = cursor.numbers("QQ")
    if max(tensors, fields) > MOST_ENTRIES:
        raise BadHeader(f"it is to hold {tensors:,} tensors and {fields:,} fields, more than make sense")
    return tensors, fields


def fields(data: Buffer) -> Iterator[Field]:
    """Each field, in the file's order; whoever has what he wants need not go on.

    Raises:
        BadHeader: A field is cut off, or of a type that is unknown.
    """
    _, count = counts(data)
    cursor = Cursor(data, FIRST_FIELD)
    for _ in range(count):
        start = cursor.place
        name, kind = cursor.text(), cursor.number("I")
        value = cursor.place
        _skip(cursor, kind)
        yield Field(name, kind, start, value, cursor.place)


def infos(data: Buffer, start: int) -> Iterator[Info]:
    """What is said of each tensor, in the file's order; it begins behind the last field.

    Raises:
        BadHeader: An entry is cut off, or has no dimensions or too many.
    """
    count, _ = counts(data)
    cursor = Cursor(data, start)
    for _ in range(count):
        start = cursor.place
        name, dimensions = cursor.text(), cursor.number("I")
        if not 1 <= dimensions <= MOST_DIMENSIONS:
            raise BadHeader(f"{name} has {dimensions} dimensions")
        shape = cursor.numbers("Q" * dimensions)
        kind, offset = cursor.numbers("IQ")
        yield Info(name, shape, kind, offset, start, cursor.place)


def value(data: Buffer, field: Field) -> Value:
    """A field's value; an array is a tuple.

    Raises:
        BadHeader: A text is no UTF-8, or there are more numbers than make sense.
    """
    cursor = Cursor(data, field.value)
    if field.kind == STRING:
        return cursor.text()
    if field.kind != ARRAY:
        return cursor.number(SCALARS[field.kind])
    kind, count = cursor.numbers("IQ")
    if kind == STRING and field.stop - cursor.place > MOST_TEXTS_BYTES:
        raise BadHeader(f"{field.name} holds texts of {field.stop - cursor.place:,} bytes, more than make sense")
    if kind == STRING:
        return _texts(data[cursor.place : field.stop], count)
    if count > MOST_NUMBERS:
        raise BadHeader(f"{field.name} holds {count:,} numbers, more than make sense")
    return struct.unpack_from(f"<{count}{SCALARS[kind]}", data, cursor.place)


def items(data: Buffer, field: Field) -> tuple[int, int]:
    """Of an array: the type of its values, as GGUF numbers it, and how many there are."""
    kind, count = Cursor(data, field.value).numbers("IQ")
    return kind, count


def decoded(text: bytes) -> str:
    """A text.

    Raises:
        BadHeader: It is no UTF-8.
    """
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadHeader(f"a text is no UTF-8: {error}") from error


def _skip(cursor: Cursor, kind: int) -> None:
    """Go past a value."""
    if kind == STRING:
        cursor.skip(cursor.number("Q"))
    elif kind == ARRAY:
        item, count = cursor.numbers("IQ")
        if item == STRING:
            _skip_texts(cursor, count)
        else:
            cursor.skip(count * _size(item))
    else:
        cursor.skip(_size(kind))


def _size(kind: int) -> int:
    if kind not in SCALARS:  # an array of arrays, too: llama.cpp reads none
        raise BadHeader(f"a value is of type {kind}, which is unknown")
    return struct.calcsize(f"<{SCALARS[kind]}")


def _skip_texts(cursor: Cursor, count: int) -> None:
    if count > min(MOST_TEXTS, (len(cursor.data) - cursor.place) // _LENGTH.size):
        raise BadHeader(f"it is to hold {count:,} texts, more than fit or make sense")
    data, place, most = cursor.data, cursor.place, len(cursor.data) - _LENGTH.size
    unpack, width = _LENGTH.unpack_from, _LENGTH.size
    for _ in range(count):  # a tenth of a microsecond each: a vocabulary and its merges are 300,000
        if place > most:
            raise BadHeader(f"it is cut off within {count:,} texts")
        place += width + unpack(data, place)[0]
    cursor.skip(place - cursor.place)


def _texts(data: bytes, count: int) -> tuple[str, ...]:
    """Texts that were gone past before, so that they are known to be there."""
    unpack, width, place = _LENGTH.unpack_from, _LENGTH.size, 0
    found = []
    try:
        for _ in range(count):
            start = place + width
            place = start + unpack(data, place)[0]
            found.append(data[start:place].decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadHeader(f"a text is no UTF-8: {error}") from error
    return tuple(found)
