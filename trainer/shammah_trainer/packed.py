"""Matrices as the file has them, and the memory that they share when they are unpacked."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
import torch
from gguf import GGMLQuantizationType
from numpy.typing import NDArray
from torch import Tensor

from shammah_convert import ggml
from shammah_convert.shape import BadBase
from shammah_trainer import blocks

PIECE_VALUES = 1 << 21
"""8 MB of floats: the last level of cache holds them, and a call of Python is nothing beside them."""

PART_VALUES = 1 << 16
"""Fewer values than this are not worth a thread."""

_STORED = {
    torch.float32: GGMLQuantizationType.F32,
    torch.float16: GGMLQuantizationType.F16,
    torch.bfloat16: GGMLQuantizationType.BF16,
}


class Blocks(Protocol):
    """A matrix that can be unpacked: in our own memory, or lent by other processes."""

    @property
    def data(self) -> Tensor:
        """uint8, (rows, bytes a row)."""
        ...

    @property
    def kind(self) -> GGMLQuantizationType:
        """How it is stored."""
        ...

    @property
    def columns(self) -> int:
        """Values a row."""
        ...

    @property
    def rows(self) -> int:
        """Of the matrix."""
        ...

    @property
    def values(self) -> int:
        """Of the matrix."""
        ...

    def part(self, start: int, stop: int) -> "Blocks":
        """Some of its rows."""
        ...

    def picked(self, rows: Tensor) -> "Packed":
        """These of its rows, copied."""
        ...

    def floats(self, dtype: torch.dtype, out: Tensor | None = None, threads: int = 1) -> Tensor:
        """Unpack it: (rows, columns)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """A matrix, or some rows of one, as a GGUF file has it.

    Attributes:
        data: uint8, (rows, bytes a row), on the device that is to work with it.
        columns: Values a row.
    """

    data: Tensor
    kind: GGMLQuantizationType
    columns: int

    @classmethod
    def of(cls, data: NDArray[np.uint8], kind: GGMLQuantizationType) -> "Packed":
        """Wrap mapped blocks, (rows, bytes a row), without a copy."""
        values, size = ggml.block(kind)
        return cls(torch.from_numpy(data), kind, data.shape[1] // size * values)

    def to(self, device: torch.device) -> "Packed":
        """The same on a device.

        Raises:
            BadBase: The type cannot be unpacked there.
        """
        self.check(device)
        return Packed(self.data.to(device), self.kind, self.columns)

    def check(self, device: torch.device) -> None:
        """Check that it can be unpacked on a device.

        Raises:
            BadBase: It cannot.
        """
        if device.type == "cpu":
            ggml.unpacker(self.kind)
        elif not blocks.knows(self.kind):
            raise BadBase(f"{self.kind.name} cannot be unpacked on {device.type}")

    @property
    def rows(self) -> int:
        """Of the matrix."""
        return len(self.data)

    @property
    def values(self) -> int:
        """Of the matrix."""
        return self.rows * self.columns

    def part(self, start: int, stop: int) -> "Packed":
        """Some of its rows."""
        return Packed(self.data[start:stop], self.kind, self.columns)

    def picked(self, rows: Tensor) -> "Packed":
        """These of its rows, copied."""
        return Packed(self.data[rows], self.kind, self.columns)

    def floats(self, dtype: torch.dtype, out: Tensor | None = None, threads: int = 1) -> Tensor:
        """Unpack it: (rows, columns), into `out` where it is given, flat or not."""
        if _STORED.get(dtype) == self.kind:  # already what is wanted
            return self.data.view(dtype)
        out = torch.empty(self.values, dtype=dtype, device=self.data.device) if out is None else out.view(-1)
        if self.data.device.type == "cpu":
            _unpack(self, out, threads)
        else:
            out.copy_(blocks.unpack(self.data, self.kind).view(-1))
        return out.view(self.rows, self.columns)


def _unpack(packed: Packed, out: Tensor, threads: int) -> None:
    """Fill `out`, flat, through ggml; what is not float32 goes by way of it, a piece at a time."""
    values, size = ggml.block(packed.kind)
    source = packed.data.data_ptr()
    if out.dtype == torch.float32:
        _to_floats(packed.kind, source, out, threads)
        return
    step = PIECE_VALUES // values * values
    for start in range(0, len(out), step):
        some = out[start : start + step]
        floats = _piece()[: len(some)]
        _to_floats(packed.kind, source + start // values * size, floats, threads)
        some.copy_(floats)


def _to_floats(kind: GGMLQuantizationType, source: int, out: Tensor, threads: int) -> None:
    """Unpack blocks at an address: several threads, each on blocks of its own, the one that asks among them."""
    values, size = ggml.block(kind)
    to_float, count = ggml.unpacker(kind), len(out) // values
    parts = max(1, min(threads, len(out) // PART_VALUES))
    edges = [count * part // parts for part in range(parts + 1)]
    jobs = [
        (source + start * size, out.data_ptr() + 4 * start * values, (stop - start) * values)
        for start, stop in itertools.pairwise(edges)
    ]
    others = [_pool(threads).submit(to_float, *job) for job in jobs[1:]]
    to_float(*jobs[0])
    for other in others:
        other.result()


@cache
def _piece() -> Tensor:
    """Room for the floats between blocks and bfloat16, taken once: fresh memory would cost as much as the work."""
    return torch.empty(PIECE_VALUES)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Calls through ctypes let go of the interpreter's lock."""
    return ThreadPoolExecutor(threads, "unpack")


class Workspace:
    """Where matrices are unpacked: a ring of memory that holds the last ones, as many as fit.

    The backward pass takes the layers in the opposite order, so that what was unpacked last is needed first. With room
    for one layer, a checkpointed layer is unpacked twice a step and not three times; with room for all, once.
    """

    def __init__(self, values: int, dtype: torch.dtype, device: torch.device, threads: int = 1) -> None:
        """Take the memory.

        Args:
            values: How many it holds; a larger matrix makes it grow.
            dtype: Of what is unpacked, and computed in.
            device: Where.
            threads: That unpack.
        """
        self.dtype = dtype
        self._values = values
        self._ring = torch.empty(values, dtype=dtype, device=device)
        self._threads = threads
        self._held: dict[Blocks, tuple[int, int]] = {}
        self._place = 0

    def matrix(self, packed: Blocks) -> Tensor:
        """The matrix, (rows, columns); to be used at once, since the next call may write over it."""
        if packed in self._held:
            start, stop = self._held[packed]
            return self._ring[start:stop].view(packed.rows, packed.columns)
        if _STORED.get(self.dtype) == packed.kind:
            return packed.floats(self.dtype)
        start, stop = self._make_room(packed.values)
        matrix = packed.floats(self.dtype, self._ring[start:stop], self._threads)
        self._held[packed] = (start, stop)
        return matrix

    def release(self) -> None:
        """Give the memory back; the next matrix takes it again."""
        self._held.clear()
        self._ring, self._place = self._ring.new_empty(0), 0

    def _make_room(self, values: int) -> tuple[int, int]:
        if values > len(self._ring):
            self._held.clear()
            self._ring = self._ring.new_empty(max(values, self._values))
        start = self._place if self._place + values <= len(self._ring) else 0
        stop = self._place = start + values
        for packed, (first, last) in list(self._held.items()):
            if first < stop and start < last:
                del self._held[packed]
        return start, stop
