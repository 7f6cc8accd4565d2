"""A GGUF written again: its name and some tensors' values change, all else is copied byte for byte.

gguf-py's writer would build the whole header from values, and stumble over a token that is no UTF-8; here it stays as
it is. A split model becomes one file.
"""

import struct
from collections.abc import Callable, Iterator
from io import BufferedWriter
from pathlib import Path

import numpy as np
from gguf import GGUFValueType
from numpy.typing import NDArray

from shammah_convert.files import publish
from shammah_convert.mapped import Tensor, padded
from shammah_convert.parts import Parts

NAME = "general.name"
VERSION = 3
_NOT_COPIED = "split."
"""What only a part of a split model says."""

Change = Callable[[str, Tensor], NDArray[np.uint8] | None]
"""A tensor's new bytes, as many as before, by its name; None where it stays as it is."""


def rewrite(parts: Parts, path: Path, name: str, change: Change) -> None:
    """Write a model again under another name; the file appears when it is whole and on disk.

    Raises:
        OSError: It cannot be written.
    """
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
    out.writelines(_name_field(name) if field.name == NAME else parts.header.bytes_of(field) for field in fields)
    if not is_named:
        out.write(_name_field(name))
    offset = 0
    for tensor in parts.tensors.values():
        out.write(tensor.head + struct.pack("<Q", offset))
        offset += padded(tensor.data.nbytes, parts.header.alignment)
    _pad(out, parts.header.alignment)


def _write_tensors(out: BufferedWriter, parts: Parts, change: Change) -> None:
    for name, tensor in parts.tensors.items():
        data = change(name, tensor)
        out.write((tensor.data if data is None else data).data)
        assert data is None or data.nbytes == tensor.data.nbytes, (
            f"{name}: {data.nbytes} bytes for {tensor.data.nbytes}"
        )
        _pad(out, parts.header.alignment)


def _name_field(name: str) -> bytes:
    return b"".join(_text(NAME, struct.pack("<I", GGUFValueType.STRING), *_text(name)))


def _text(text: str, *rest: bytes) -> Iterator[bytes]:
    data = text.encode()
    yield from (struct.pack("<Q", len(data)), data, *rest)


def _pad(out: BufferedWriter, alignment: int) -> None:
    out.write(bytes(padded(out.tell(), alignment) - out.tell()))
