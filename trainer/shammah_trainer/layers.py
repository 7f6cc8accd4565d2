"""Layers over packed blocks: unpacked when they are used, into memory that they share.

A frozen matrix is needed twice in a step, in the forward and in the backward pass, and each time for a moment only.
So its blocks stay as the file has them, mapped, and what autograd keeps is the layer and not the floats.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from shammah_trainer.budget import HEAD_VALUES
from shammah_trainer.packed import Blocks, Workspace


class _Product(torch.autograd.Function):
    """`x @ weight.T + bias` where the weight is packed and frozen."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: "PackedLinear") -> Tensor:
        ctx.layer = layer
        return functional.linear(x, layer.matrix(), layer.bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None]:
        return (gradient @ ctx.layer.matrix() if ctx.needs_input_grad[0] else None), None


class Again:
    """Whether a checkpointed block is just being computed again, for what autograd keeps within it."""

    def __init__(self) -> None:
        self.is_on = False

    def contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """Around a block's first computation and around its second, as `torch.utils.checkpoint` takes them."""
        return nullcontext(), self._on()

    @contextmanager
    def _on(self) -> Iterator[None]:
        self.is_on = True
        try:
            yield
        finally:
            self.is_on = False


class PackedLinear(nn.Linear):
    """A frozen linear layer over packed blocks, on which peft puts its LoRA as on any other.

    Attributes:
        again: Set on a block's last layer: what that gives is added to the stream, and nobody keeps it. So it need not
            be computed again; that is a third of what a checkpoint costs.
    """

    def __init__(self, packed: Blocks, workspace: Workspace) -> None:
        """Take the matrix, (out, in); a bias may be assigned."""
        nn.Module.__init__(self)
        self.in_features, self.out_features = packed.columns, packed.rows
        self._workspace = workspace
        self.take(packed)
        self.again: Again | None = None
        self.register_parameter("bias", None)

    def take(self, packed: Blocks) -> None:
        """Hold the matrix so from now on."""
        self.packed = packed

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """The packed blocks, uint8: they say where adapters are to be."""
        return self.packed.data

    def matrix(self) -> Tensor:
        """The unpacked weight, (out, in); to be used at once."""
        return self._workspace.matrix(self.packed)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out), in the workspace's dtype."""
        if self.again is not None and self.again.is_on:
            return x.new_zeros(*x.shape[:-1], self.out_features, dtype=self._workspace.dtype)
        product: Tensor = _Product.apply(x.to(self._workspace.dtype), self)  # type: ignore[no-untyped-call]
        return product


class PackedEmbedding(nn.Module):
    """A frozen embedding over packed blocks: the rows that are looked up are unpacked, and no others."""

    def __init__(self, packed: Blocks, dtype: torch.dtype) -> None:
        """Take the table, (vocabulary, width)."""
        super().__init__()
        self._dtype = dtype
        self.take(packed)

    def take(self, packed: Blocks) -> None:
        """Hold the table so from now on."""
        self.packed = packed

    @property
    def weight(self) -> Tensor:
        """The packed blocks, uint8."""
        return self.packed.data

    def forward(self, tokens: Tensor) -> Tensor:
        """(...,) -> (..., width)."""
        ids, places = torch.unique(tokens, return_inverse=True)
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
        normalised: Tensor = _Normalised.apply(x, self.weight, self._epsilon)  # type: ignore[no-untyped-call]
        return normalised


class _Normalised(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        floats = x.float()
        scale = (floats.square().mean(-1, keepdim=True) + epsilon).rsqrt()
        ctx.save_for_backward(x, scale, weight)
        return (floats * scale).mul_(weight).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        x, scale, weight = ctx.saved_tensors
        unit, pull = x.float() * scale, gradient.float() * weight
        pull.sub_(unit.mul_((pull * unit).mean(-1, keepdim=True)))
        return pull.mul_(scale).to(x.dtype), None, None


class PackedHead(nn.Module):
    """A frozen output layer over packed blocks, some rows of the vocabulary at a time."""

    def __init__(self, packed: Blocks, workspace: Workspace, chunk_values: int = HEAD_VALUES) -> None:
        """Take the matrix, (vocabulary, width); so many of its values are unpacked at a time."""
        super().__init__()
        self._workspace, self._step = workspace, max(1, chunk_values // packed.columns)
        self.dtype = workspace.dtype
        self.take(packed)

    def take(self, packed: Blocks) -> None:
        """Hold the matrix so from now on."""
        starts = range(0, packed.rows, self._step)
        self.packed, self._parts = packed, [(start, packed.part(start, start + self._step)) for start in starts]

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
        result: tuple[Tensor, Tensor] = _Nats.apply(hidden.to(self._workspace.dtype), self, wanted)  # type: ignore[no-untyped-call]
        return result

    def divergence(self, base: Tensor, moved: Tensor) -> Tensor:
        """KL(softmax of base's logits || softmax of moved's) of hidden states (tokens, width), in nats: (tokens,)."""
        of_base, of_moved = _Powers(base), _Powers(moved)
        gap = torch.zeros(len(base), device=base.device)
        for _, rows in self.chunks():
            logits, others = (functional.linear(hidden.to(self.dtype), rows).float() for hidden in (base, moved))
            shrink, powers = of_base.add(logits)
            gap = gap * shrink + (powers * (logits - others)).sum(-1)
            of_moved.add(others)
        return gap / of_base.total - of_base.log() + of_moved.log()


class _Powers:
    """A sum of powers over chunks of logits, relative to the largest so far: it shrinks when a larger one comes."""

    def __init__(self, hidden: Tensor) -> None:
        self.most = torch.full((len(hidden),), -torch.inf, device=hidden.device)
        self.total = torch.zeros(len(hidden), device=hidden.device)

    def add(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Take a chunk, (tokens, chunk); by what earlier sums shrink, (tokens,), and the chunk's powers."""
        higher = torch.maximum(self.most, logits.amax(-1))
        shrink, powers = (self.most - higher).exp(), (logits - higher[:, None]).exp_()
        self.total, self.most = self.total * shrink + powers.sum(-1), higher
        return shrink, powers

    def log(self) -> Tensor:
        """Of the sum, (tokens,)."""
        return self.most + self.total.log()


class _Nats(torch.autograd.Function):
    """Cross entropy in one pass over the vocabulary; the gradient is summed up on the way, as flash attention does."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, head: PackedHead, wanted: Tensor) -> tuple[Tensor, Tensor]:
        sums, right = _Powers(hidden), torch.zeros(len(hidden), device=hidden.device)
        likeliest = torch.zeros_like(wanted)
        pull = torch.zeros(hidden.shape, device=hidden.device) if ctx.needs_input_grad[0] else None
        for start, rows in head.chunks():
            logits = functional.linear(hidden, rows).float()  # (tokens, chunk)
            top, place = logits.max(-1)
            likeliest = torch.where(top > sums.most, place + start, likeliest)
            inside = (wanted >= start) & (wanted < start + len(rows))
            own = logits.gather(1, (wanted - start).clamp(0, len(rows) - 1)[:, None])[:, 0]
            right = torch.where(inside, own, right)
            shrink, powers = sums.add(logits)
            if pull is not None:
                pull.mul_(shrink[:, None]).add_(powers.to(rows.dtype) @ rows)
        if pull is not None:
            target = head.packed.picked(wanted).floats(hidden.dtype)
            ctx.save_for_backward((pull / sums.total[:, None]).sub_(target).to(hidden.dtype))
        ctx.mark_non_differentiable(likeliest)
        return sums.log() - right, likeliest

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, None, None]:
        (pull,) = ctx.saved_tensors
        return gradient[:, None].to(pull.dtype) * pull, None, None
