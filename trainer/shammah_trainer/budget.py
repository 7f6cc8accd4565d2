"""What fits: from free memory, cores and the base's shape to batch, length, rank, dtype and threads. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from shammah_convert.shape import BaseConfig, lora_values

LIBRARIES_BYTES = 450_000_000
"""torch, transformers, peft and Python, as resident after their import."""

BATCH_TOKENS = (2048, 1024, 512, 256, 128)
LEAST_RANK = 4
OPTIMIZER_BYTES = 16
"""A trained value in float32: itself, its gradient and AdamW's two moments."""

HEAD_VALUES = 1 << 22
"""Of the output layer that are unpacked at a time, as in packed.py."""

# Rounding to bfloat16 spares memory and time that a small model does not cost, and its corrections are learnt to
# within what the rounding moves (docs/lab-notes.md).
FLOAT32_BELOW_VALUES = 100_000_000
ALL_UNPACKED_SHARE = 0.25
"""Everything stays unpacked where that takes no more of what is left."""


class TooLittleMemory(RuntimeError):
    """Nothing fits; the text has the numbers."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to train with.

    Attributes:
        free_bytes: Memory that may be taken, of the GPU where there is one.
        threads: Cores to use.
        is_fast_in_bfloat16: Whether products in bfloat16 are faster than in float32.
        is_gpu: Whether the base is copied to a GPU; libraries stay in the machine's own memory then.
        is_bounded: Whether more is free than the user allows.
    """

    free_bytes: int
    threads: int
    is_fast_in_bfloat16: bool = False
    is_gpu: bool = False
    is_bounded: bool = False


@dataclass(frozen=True, slots=True)
class Size:
    """What a base takes.

    Attributes:
        rows: Of the vocabulary.
        file_bytes: As it is packed.
    """

    config: BaseConfig
    rows: int
    file_bytes: int

    @property
    def layer_values(self) -> int:
        """Of all matrices of a layer."""
        return sum(inner * outer for inner, outer in self.config.matrices)

    @property
    def largest_values(self) -> int:
        """Of the largest matrix that is unpacked at once, of the output layer a part."""
        return max(min(HEAD_VALUES, self._head_values), *(inner * outer for inner, outer in self.config.matrices))

    @property
    def _head_values(self) -> int:
        return self.rows * self.config.hidden_size

    @property
    def values(self) -> int:
        """Of all matrices, an untied output layer left out."""
        return self.config.layers * self.layer_values + self._head_values


@dataclass(frozen=True, slots=True)
class Budget:
    """How a base is trained on a machine.

    Attributes:
        batch_tokens: In one pass, padding counted; a step's gradient is gathered over as many as it takes.
        most_tokens: Of one example; longer ones are left out.
        is_bfloat16: Products in bfloat16, not float32.
        is_checkpointed: The backward pass computes a layer's activations again.
        is_thrifty: Freed memory goes back to the system at once, which costs up to a third of the speed.
        workspace_values: That are kept unpacked.
        needed_bytes: What it is expected to take in all.
    """

    batch_tokens: int
    most_tokens: int
    rank: int
    threads: int
    is_bfloat16: bool
    is_checkpointed: bool
    is_thrifty: bool
    workspace_values: int
    needed_bytes: int


def plan(machine: Machine, size: Size, rank: int, longest_tokens: int) -> Budget:
    """The best that fits: the longest example whole, the rank that was asked for, and then speed.

    Args:
        machine: What there is.
        size: Of the base.
        rank: Wanted; lowered where nothing else helps.
        longest_tokens: Of the longest example that the model can read.

    Raises:
        TooLittleMemory: Nothing fits.
    """
    choices = list(_choices(machine, size, rank, longest_tokens))
    for choice in choices:
        if choice.needed_bytes <= machine.free_bytes:
            return _with_workspace(choice, machine, size)
    least = min(choices, key=lambda choice: choice.needed_bytes)
    raise TooLittleMemory(
        f"training takes {_gigabytes(least.needed_bytes)} at least ({_gigabytes(size.file_bytes)} of it the model),"
        f" and {_gigabytes(machine.free_bytes)} {_what_helps(machine)}, or train a smaller model"
    )


def _choices(machine: Machine, size: Size, rank: int, longest: int) -> Iterator[Budget]:
    """Everything that could be done, the best first."""
    is_bfloat16 = machine.is_fast_in_bfloat16 and size.values >= FLOAT32_BELOW_VALUES
    whole = [*(tokens for tokens in BATCH_TOKENS if tokens > longest), longest]
    short = [tokens for tokens in BATCH_TOKENS if tokens < longest]
    ranks = [rank, *(lower for lower in (rank // 2, rank // 4) if lower >= LEAST_RANK)]
    for batches in (whole, *([tokens] for tokens in short)):
        for lower in ranks:
            for is_checkpointed, is_thrifty in ((False, False), (True, False), (True, True)):
                for tokens in batches:
                    budget = Budget(
                        batch_tokens=tokens,
                        most_tokens=min(tokens, longest),
                        rank=lower,
                        threads=machine.threads,
                        is_bfloat16=is_bfloat16,
                        is_checkpointed=is_checkpointed,
                        is_thrifty=is_thrifty,
                        workspace_values=size.largest_values,
                        needed_bytes=0,
                    )
                    yield replace(budget, needed_bytes=_needed(budget, machine, size))


def _needed(budget: Budget, machine: Machine, size: Size) -> int:
    """Bytes that a training takes; within 5% of what was measured at the 0.5B and 1.5B shapes (docs/lab-notes.md)."""
    value_bytes = 2 if budget.is_bfloat16 else 4
    libraries = 0 if machine.is_gpu else LIBRARIES_BYTES
    fixed = libraries + size.file_bytes + OPTIMIZER_BYTES * lora_values(size.config, budget.rank)
    return fixed + value_bytes * budget.workspace_values + budget.batch_tokens * _token_bytes(budget, size, value_bytes)


def _token_bytes(budget: Budget, size: Size, value_bytes: int) -> int:
    """What a token of a batch takes between the forward and the backward pass."""
    config = size.config
    layer = 5 * config.intermediate_size + 18 * config.hidden_size
    kept = config.layers * (config.hidden_size if budget.is_checkpointed else layer)
    # Of a layer that is computed again, its values and their gradients come and go, and leave the heap in fragments.
    passing = (6 if budget.is_checkpointed and not budget.is_thrifty else 2) * layer
    logits = min(size.rows, HEAD_VALUES // config.hidden_size) * (2 * value_bytes + 4)
    return value_bytes * (kept + passing) + logits


def _with_workspace(budget: Budget, machine: Machine, size: Size) -> Budget:
    """Use what is left: keep all unpacked where that is little, else a layer, so that it is unpacked once less."""
    value_bytes = 2 if budget.is_bfloat16 else 4
    left = machine.free_bytes - budget.needed_bytes
    a_layer = max(size.layer_values, size.largest_values)
    for values, share in ((size.values, 1.0 if machine.is_gpu else ALL_UNPACKED_SHARE), (a_layer, 1.0)):
        more = (values - budget.workspace_values) * value_bytes
        if more <= share * left:
            return replace(budget, workspace_values=values, needed_bytes=budget.needed_bytes + more)
    return budget


def _what_helps(machine: Machine) -> str:
    if machine.is_bounded:
        return "are allowed; raise --max-memory or trainer.max_memory"
    return "are free; close other programs"


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
