"""Tensors in safetensors files, read as float32 one by one: safetensors' own numpy reader refuses BF16."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER_BYTES = 8
METADATA = "__metadata__"
_TYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}


class BadTensors(ValueError):
    """A safetensors file is cut off, broken, or holds a type that no weights have; the text says which."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a tensor lies: in which mapped file, from which byte, and what it is there."""

    data: NDArray[np.uint8]
    first: int
    kind: str
    shape: tuple[int, ...]


class StoredTensors(Mapping[str, NDArray[np.float32]]):
    """The tensors of safetensors files by name; each is read when it is asked for, and not kept."""

    def __init__(self, paths: Iterable[Path]) -> None:
        """Map the files and read their headers.

        Raises:
            BadTensors: A file cannot be read, or a tensor is of a type other than F32, F16 or BF16, or twice there.
        """
        self._places: dict[str, _Place] = {}
        self.metadata: dict[str, str] = {}
        for path in paths:
            try:
                self._add(path)
            except BadTensors:
                raise
            except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise BadTensors(f"{path} cannot be read as safetensors: {error}") from error

    @property
    def matrix_kinds(self) -> frozenset[str]:
        """The types that matrices are stored in: F32, F16, BF16."""
        return frozenset(place.kind for place in self._places.values() if len(place.shape) > 1)

    @property
    def parameters(self) -> int:
        """How many values all tensors hold."""
        return sum(math.prod(place.shape) for place in self._places.values())

    def without(self, name: str) -> "StoredTensors":
        """The same tensors but one, where it is there."""
        rest = StoredTensors(())
        rest.metadata = self.metadata
        rest._places = {kept: place for kept, place in self._places.items() if kept != name}
        return rest

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        place = self._places[name]
        values = np.frombuffer(place.data, _TYPES[place.kind], math.prod(place.shape), place.first)
        if place.kind == "BF16":  # the upper half of a float32
            wide = values.astype(np.uint32)
            wide <<= 16  # in place: an embedding takes a gigabyte
            return wide.view(np.float32).reshape(place.shape)
        return values.astype(np.float32).reshape(place.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def _add(self, path: Path) -> None:
        data = np.memmap(path, dtype=np.uint8, mode="r")
        start = HEADER_BYTES + int(data[:HEADER_BYTES].view("<u8")[0])
        header = json.loads(bytes(data[HEADER_BYTES:start]))
        self.metadata.update(header.pop(METADATA, {}))
        for name, entry in header.items():
            if name in self._places:
                raise BadTensors(f"{path} holds {name}, which another file holds too")
            self._places[name] = _place(path, name, entry, data, start)


def _place(path: Path, name: str, entry: dict[str, Any], data: NDArray[np.uint8], start: int) -> _Place:
    kind, shape = str(entry["dtype"]), tuple(int(size) for size in entry["shape"])
    if kind not in _TYPES:
        raise BadTensors(f"{path} holds {name} as {kind}, not F32, F16 or BF16")
    first, last = (start + int(place) for place in entry["data_offsets"])
    size = math.prod(shape) * np.dtype(_TYPES[kind]).itemsize
    if min(shape, default=0) < 0 or not (start <= first and first + size == last <= len(data)):
        raise BadTensors(f"{path} is cut off or broken at {name}")
    return _Place(data, first, kind, shape)
