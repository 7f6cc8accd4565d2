"""Matrices as the file has them, and the memory that they share when they are unpacked."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from gguf import GGMLQuantizationType
from numpy.typing import NDArray
from torch import Tensor

from shammah_convert import ggml
from shammah_convert.shape import BadBase
from shammah_trainer import blocks

# torch copies up to 2^15 values on the thread that asks; more, and each of our threads would start threads of its own.
PIECE_VALUES = 1 << 15
PART_VALUES = 1 << 18
"""Fewer values than this are not worth a thread."""

_STORED = {
    torch.float32: GGMLQuantizationType.F32,
    torch.float16: GGMLQuantizationType.F16,
    torch.bfloat16: GGMLQuantizationType.BF16,
}


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
        if device.type == "cpu":
            ggml.unpacker(self.kind)
        elif not blocks.knows(self.kind):
            raise BadBase(f"{self.kind.name} cannot be unpacked on {device.type}")
        return Packed(self.data.to(device), self.kind, self.columns)

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
    """Fill `out`, flat, through ggml: several threads, each on blocks of its own."""
    values, size = ggml.block(packed.kind)
    count = packed.values // values
    parts = max(1, min(threads, packed.values // PART_VALUES))
    edges = [count * part // parts for part in range(parts + 1)]
    source = packed.data.data_ptr()

    def work(part: int) -> None:
        start, stop = edges[part], edges[part + 1]
        _fill(packed.kind, source + start * size, out[start * values : stop * values])

    if parts == 1:
        work(0)
    else:
        list(_pool(threads).map(work, range(parts)))


def _fill(kind: GGMLQuantizationType, source: int, out: Tensor) -> None:
    """Unpack one thread's part; what is not float32 goes through pieces that never leave the processor's cache."""
    to_float = ggml.unpacker(kind)
    if out.dtype == torch.float32:
        to_float(source, out.data_ptr(), len(out))
        return
    values, size = ggml.block(kind)
    step = PIECE_VALUES // values * values
    piece = torch.empty(min(step, len(out)))
    address = piece.data_ptr()
    for start in range(0, len(out), step):
        some = out[start : start + step]
        to_float(source + start // values * size, address, len(some))
        some.copy_(piece[: len(some)])


_pools: dict[int, ThreadPoolExecutor] = {}


def _pool(threads: int) -> ThreadPoolExecutor:
    """Calls through ctypes let go of the interpreter's lock."""
    if threads not in _pools:
        _pools[threads] = ThreadPoolExecutor(threads, "unpack")
    return _pools[threads]


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
        self._held: dict[Packed, tuple[int, int]] = {}
        self._place = 0

    def matrix(self, packed: Packed) -> Tensor:
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
