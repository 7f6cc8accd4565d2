"""Layers over packed blocks: unpacked when they are used, into memory that they share.

A frozen matrix is needed twice in a step, in the forward and in the backward pass, and each time for a moment only.
So its blocks stay as the file has them, mapped, and what autograd keeps is the layer and not the floats.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gguf import GGMLQuantizationType
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from shammah_convert import ggml
from shammah_trainer import blocks
from shammah_trainer.budget import HEAD_VALUES

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
        """Wrap mapped blocks, (rows, bytes a row), without a copy.

        Raises:
            BadBase: Nothing here unpacks the type.
        """
        ggml.unpacker(kind)
        values, size = ggml.block(kind)
        return cls(torch.from_numpy(data), kind, data.shape[1] // size * values)

    def to(self, device: torch.device) -> "Packed":
        """The same on a device."""
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

    def _make_room(self, values: int) -> tuple[int, int]:
        if values > len(self._ring):
            self._held.clear()
            self._ring = torch.empty(values, dtype=self.dtype, device=self._ring.device)
        start = self._place if self._place + values <= len(self._ring) else 0
        stop = self._place = start + values
        for packed, (first, last) in list(self._held.items()):
            if first < stop and start < last:
                del self._held[packed]
        return start, stop


class _Product(torch.autograd.Function):
    """`x @ weight.T + bias` where the weight is packed and frozen."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: "PackedLinear") -> Tensor:  # type: ignore[override]
        ctx.layer = layer
        return functional.linear(x, layer.matrix(), layer.bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None]:  # type: ignore[override]
        return (gradient @ ctx.layer.matrix() if ctx.needs_input_grad[0] else None), None


class PackedLinear(nn.Linear):
    """A frozen linear layer over packed blocks, on which peft puts its LoRA as on any other."""

    def __init__(self, packed: Packed, workspace: Workspace) -> None:
        """Take the matrix, (out, in); a bias may be assigned."""
        nn.Module.__init__(self)
        self.in_features, self.out_features = packed.columns, packed.rows
        self.packed, self._workspace = packed, workspace
        self.register_parameter("bias", None)

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """The packed blocks, uint8: they say where adapters are to be."""
        return self.packed.data

    def matrix(self) -> Tensor:
        """The unpacked weight, (out, in); to be used at once."""
        return self._workspace.matrix(self.packed)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out), in the workspace's dtype."""
        product: Tensor = _Product.apply(x.to(self._workspace.dtype), self)
        return product


class PackedEmbedding(nn.Module):
    """A frozen embedding over packed blocks: the rows that are looked up are unpacked, and no others."""

    def __init__(self, packed: Packed, dtype: torch.dtype) -> None:
        """Take the table, (vocabulary, width)."""
        super().__init__()
        self.packed, self._dtype = packed, dtype

    @property
    def weight(self) -> Tensor:
        """The packed blocks, uint8."""
        return self.packed.data

    def forward(self, tokens: Tensor) -> Tensor:
        """(...,) -> (..., width)."""
        ids, places = tokens.unique(return_inverse=True)
        return self.packed.picked(ids).floats(self._dtype)[places]


class Norm(nn.Module):
    """A frozen RMSNorm that works in float32, gives what it got, and keeps for the backward pass no more than that."""

    def __init__(self, weight: Tensor, epsilon: float) -> None:
        """Take the scales, (width,), float32."""
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)
        self._epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width), each divided by its root mean square and scaled."""
        normalised: Tensor = _Normalised.apply(x, self.weight, self._epsilon)
        return normalised


class _Normalised(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:  # type: ignore[override]
        floats = x.float()
        scale = (floats.square().mean(-1, keepdim=True) + epsilon).rsqrt()
        ctx.save_for_backward(x, scale, weight)
        return (floats * scale).mul_(weight).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        x, scale, weight = ctx.saved_tensors
        unit, pull = x.float() * scale, gradient.float() * weight
        pull.sub_(unit.mul_((pull * unit).mean(-1, keepdim=True)))
        return pull.mul_(scale).to(x.dtype), None, None


class PackedHead(nn.Module):
    """A frozen output layer over packed blocks, some rows of the vocabulary at a time."""

    def __init__(self, packed: Packed, workspace: Workspace) -> None:
        """Take the matrix, (vocabulary, width)."""
        super().__init__()
        self.packed, self._workspace = packed, workspace
        self.dtype = workspace.dtype
        step = max(1, HEAD_VALUES // packed.columns)
        self._parts = [(start, packed.part(start, start + step)) for start in range(0, packed.rows, step)]

    @property
    def weight(self) -> Tensor:
        """The packed blocks, uint8."""
        return self.packed.data

    def chunks(self) -> Iterator[tuple[int, Tensor]]:
        """The first token of each chunk, and its rows, (tokens, width); to be used before the next one."""
        for start, part in self._parts:
            yield start, self._workspace.matrix(part)

    def forward(self, hidden: Tensor) -> Tensor:
        """(..., width) -> logits, (..., vocabulary), float32."""
        hidden = hidden.to(self._workspace.dtype)
        return torch.cat([functional.linear(hidden, rows).float() for _, rows in self.chunks()], dim=-1)

    def nats(self, hidden: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """How improbable tokens are, and which would be the likeliest, without the logits ever being whole.

        Args:
            hidden: (tokens, width).
            wanted: (tokens,), ids.

        Returns:
            Negative log-probabilities of those wanted, (tokens,), float32, with a gradient; argmaxes, (tokens,).
        """
        result: tuple[Tensor, Tensor] = _Nats.apply(hidden.to(self._workspace.dtype), self, wanted)
        return result


class _Nats(torch.autograd.Function):
    """Cross entropy in one pass over the vocabulary; the gradient is summed up on the way, as flash attention does.

    Each sum of powers is relative to the largest logit so far, and shrinks when a larger one comes.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: PackedHead, wanted: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        count, device = len(hidden), hidden.device
        most = torch.full((count,), -torch.inf, device=device)
        total, right = torch.zeros(count, device=device), torch.zeros(count, device=device)
        likeliest = torch.zeros_like(wanted)
        pull = torch.zeros(hidden.shape, device=device) if ctx.needs_input_grad[0] else None
        for start, rows in head.chunks():
            logits = functional.linear(hidden, rows).float()  # (tokens, chunk)
            top, place = logits.max(-1)
            likeliest = torch.where(top > most, place + start, likeliest)
            higher = torch.maximum(most, top)
            inside = (wanted >= start) & (wanted < start + len(rows))
            right = torch.where(
                inside, logits.gather(1, (wanted - start).clamp(0, len(rows) - 1)[:, None])[:, 0], right
            )
            shrink, powers = (most - higher).exp(), logits.sub_(higher[:, None]).exp_()
            total, most = total * shrink + powers.sum(-1), higher
            if pull is not None:
                pull.mul_(shrink[:, None]).add_(powers.to(rows.dtype) @ rows)
        if pull is not None:
            own = head.packed.picked(wanted).floats(hidden.dtype)
            ctx.save_for_backward((pull / total[:, None]).sub_(own).to(hidden.dtype))
        ctx.mark_non_differentiable(likeliest)
        return most + total.log() - right, likeliest

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, None, None]:  # type: ignore[override]
        (pull,) = ctx.saved_tensors
        return gradient[:, None].to(pull.dtype) * pull, None, None
