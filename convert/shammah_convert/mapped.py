"""A GGUF file, mapped: its fields by key, its tensors as views of the bytes that lie in the file."""

import math
import mmap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from numpy.typing import NDArray

from shammah_convert import header
from shammah_convert.header import BadHeader, Field, Info, Value

ALIGNMENT = "general.alignment"
DEFAULT_ALIGNMENT = 32
_UINT32 = 4

Named = TypeVar("Named", Field, Info)


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A tensor as the file has it.

    Attributes:
        shape: Rows first, as numpy has it.
        data: Its blocks, uint8, (..., bytes a row), as they lie in the mapped file.
        head: Its entry of the header, but for where the data begin.
    """

    name: str
    kind: GGMLQuantizationType
    shape: tuple[int, ...]
    data: NDArray[np.uint8]
    head: bytes

    @property
    def values(self) -> int:
        """How many it holds."""
        return math.prod(self.shape)


class MappedFile:
    """A GGUF file.

    Attributes:
        fields: By their keys, in the file's order.
        tensors: By their names, in the file's order.
        alignment: Bytes; each tensor begins at a multiple.
    """

    def __init__(self, path: Path) -> None:
        """Map a file and read its header; nothing else is read before it is used.

        Raises:
            BadHeader: It is no GGUF, is cut off, or is broken.
            OSError: It cannot be opened.
        """
        self._data = _mapped(path)
        self.fields = _once(header.fields(self._data))
        self.alignment = self._alignment()
        infos = _once(header.infos(self._data, _stop(self.fields, header.FIRST_FIELD)))
        start = padded(_stop(infos, 0), self.alignment)
        self.tensors = {name: self._tensor(info, start) for name, info in infos.items()}
        _check_apart(infos.values(), self.tensors)

    def value(self, key: str) -> Value | None:
        """A field's value; an array is a tuple. None where the file lacks the key.

        Raises:
            BadHeader: A text is no UTF-8.
        """
        field = self.fields.get(key)
        return None if field is None else header.value(self._data, field)

    def items(self, field: Field) -> tuple[int, int]:
        """Of an array: the type of its values, as GGUF numbers it, and how many there are."""
        return header.items(self._data, field)

    def bytes_of(self, field: Field) -> bytes:
        """A field as it stands in the file: key, type and value."""
        return self._data[field.start : field.stop]

    def _alignment(self) -> int:
        field = self.fields.get(ALIGNMENT)
        if field is None:
            return DEFAULT_ALIGNMENT
        found = self.value(ALIGNMENT)
        if field.kind != _UINT32 or not isinstance(found, int) or found.bit_count() != 1:
            raise BadHeader(f"its alignment is {found!r}, no power of two")
        return found

    def _tensor(self, info: Info, start: int) -> Tensor:
        kind = _kind(info)
        length, size = GGML_QUANT_SIZES[kind]
        row, *others = info.dimensions
        if row % length or 0 in info.dimensions:
            raise BadHeader(f"{info.name} of {info.dimensions} values is no whole blocks of {kind.name}")
        shape = (*reversed(others), row // length * size)
        first, count = start + info.offset, math.prod(shape)
        if info.offset % self.alignment or first + count > len(self._data):
            raise BadHeader(
                f"{info.name} is to lie at {first:,}, {count:,} bytes of {len(self._data):,}: it is cut off"
            )
        return Tensor(
            name=info.name,
            kind=kind,
            shape=tuple(reversed(info.dimensions)),
            data=np.frombuffer(self._data, np.uint8, count, first).reshape(shape),
            head=self._data[info.start : info.stop - 8],
        )


def _check_apart(infos: Iterable[Info], tensors: Mapping[str, Tensor]) -> None:
    """Check that no tensor lies over another.

    Raises:
        BadHeader: One does.
    """
    end, before = 0, ""
    for info in sorted(infos, key=lambda info: info.offset):
        if info.offset < end:
            raise BadHeader(f"{info.name} lies over {before}")
        end, before = info.offset + tensors[info.name].data.nbytes, info.name


def padded(size: int, alignment: int) -> int:
    """The next multiple of an alignment."""
    return -(-size // alignment) * alignment


def _stop(found: Mapping[str, Field] | Mapping[str, Info], start: int) -> int:
    """Behind the last; where they were to begin, if there are none."""
    return max((one.stop for one in found.values()), default=start)


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        try:
            # A private mapping: torch wraps no memory that is read-only.
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        except ValueError as error:
            raise BadHeader("it is empty") from error


def _kind(info: Info) -> GGMLQuantizationType:
    try:
        kind = GGMLQuantizationType(info.kind)
    except ValueError as error:
        raise BadHeader(f"{info.name} is of type {info.kind}, which is unknown") from error
    if kind not in GGML_QUANT_SIZES:
        raise BadHeader(f"{info.name} is of type {kind.name}, whose size is unknown")
    return kind


def _once(found: Iterator[Named]) -> dict[str, Named]:
    """What was found, by name.

    Raises:
        BadHeader: A name comes twice.
    """
    by_name: dict[str, Named] = {}
    for one in found:
        if one.name in by_name:
            raise BadHeader(f"{one.name} stands in it twice")
        by_name[one.name] = one
    return by_name
