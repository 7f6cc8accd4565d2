"""A GGUF written again: its name and some tensors' values change, all else is copied byte for byte.

gguf-py's writer would build the whole header from values, and stumble over a token that is no UTF-8; here it stays as
it is. A split model becomes one file.
"""

import struct
from collections.abc import Callable, Iterator
from io import BufferedWriter
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

from shammah_convert.files import publish
from shammah_convert.parts import Parts
from shammah_convert.shape import BadBase

NAME = "general.name"
VERSION = 3
# What the reader calls the file's own numbers, and what only a part of a split model says.
_NOT_COPIED = ("GGUF.", "split.")

Change = Callable[[str, gguf.ReaderTensor], NDArray[np.uint8] | None]
"""A tensor's new bytes, as many as before, by its name; None where it stays as it is."""


def rewrite(parts: Parts, path: Path, name: str, change: Change) -> None:
    """Write a model again under another name; the file appears when it is whole and on disk.

    Raises:
        BadBase: It is big-endian.
        OSError: It cannot be written.
    """
    if parts.header.endianess != gguf.GGUFEndian.LITTLE:
        raise BadBase("big-endian models are not written again")
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as out:
            _write_header(out, parts, name)
            _write_tensors(out, parts, change)
        publish(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _write_header(out: BufferedWriter, parts: Parts, name: str) -> None:
    fields = [field for field in parts.header.fields.values() if not field.name.startswith(_NOT_COPIED)]
    is_named = any(field.name == NAME for field in fields)
    out.write(struct.pack("<4sIQQ", b"GGUF", VERSION, len(parts.tensors), len(fields) + (not is_named)))
    out.writelines(_name_field(name) if field.name == NAME else _bytes_of(parts.header, field) for field in fields)
    if not is_named:
        out.write(_name_field(name))
    offset = 0
    for tensor in parts.tensors.values():
        *facts, _ = tensor.field.parts  # name, dimensions and type; last, where its data begin
        out.write(b"".join(part.tobytes() for part in facts) + struct.pack("<Q", offset))
        offset += _padded(tensor.n_bytes, parts.header.alignment)
    _pad(out, parts.header.alignment)


def _write_tensors(out: BufferedWriter, parts: Parts, change: Change) -> None:
    for name, tensor in parts.tensors.items():
        data = change(name, tensor)
        out.write((tensor.data if data is None else data).data)
        assert data is None or data.nbytes == tensor.n_bytes, f"{name}: {data.nbytes} bytes for {tensor.n_bytes}"
        _pad(out, parts.header.alignment)


def _bytes_of(reader: gguf.GGUFReader, field: gguf.ReaderField) -> bytes:
    """A field as it stands in the file: key, type and value lie one behind the other."""
    size = sum(int(part.nbytes) for part in field.parts)
    return bytes(reader.data[field.offset : field.offset + size])


def _name_field(name: str) -> bytes:
    return b"".join(_text(NAME, struct.pack("<I", gguf.GGUFValueType.STRING), *_text(name)))


def _text(text: str, *rest: bytes) -> Iterator[bytes]:
    data = text.encode()
    yield from (struct.pack("<Q", len(data)), data, *rest)


def _pad(out: BufferedWriter, alignment: int) -> None:
    out.write(bytes(_padded(out.tell(), alignment) - out.tell()))


def _padded(size: int, alignment: int) -> int:
    return -(-int(size) // int(alignment)) * int(alignment)
