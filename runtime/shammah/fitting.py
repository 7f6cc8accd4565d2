"""Which model fits a machine, and why: decided from numbers alone.

The machine's size proposes one; what is free, and the key-value cache at the wanted context, may only lower that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shammah import admission
from shammah.amounts import gigabytes
from shammah.catalog import Model, nominal_gb
from shammah_convert.attention import Attention

# What the system keeps for itself and for other programs: so much of a machine's RAM no model ever gets.
SYSTEM_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Gpu:
    """A device that llama.cpp can put layers on."""

    name: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Machine:
    """What a model may take, as it is now.

    Attributes:
        available_bytes: RAM that can be taken without swapping.
    """

    ram_bytes: int
    available_bytes: int
    gpus: tuple[Gpu, ...] = ()

    @property
    def nominal_gb(self) -> int:
        """As which size it is sold."""
        return nominal_gb(self.ram_bytes)


@dataclass(frozen=True, slots=True)
class Need:
    """What an open model takes: its file, a full key-value cache, and room to compute."""

    file_bytes: int
    cache_bytes: int
    run_bytes: int
    context_tokens: int

    @property
    def bytes(self) -> int:
        """All of it."""
        return self.file_bytes + self.cache_bytes + self.run_bytes

    @property
    def in_words(self) -> str:
        """The sum, for people."""
        return (
            f"{gigabytes(self.file_bytes)} file + {gigabytes(self.cache_bytes)} KV cache for"
            f" {self.context_tokens:,} tokens + {gigabytes(self.run_bytes)} to compute = {gigabytes(self.bytes)}"
        )


@dataclass(frozen=True, slots=True)
class Proposal:
    """The model for a machine.

    Attributes:
        model: None where nothing fits into what is free.
        by_size: What the size of the machine alone proposes.
    """

    model: Model | None
    by_size: Model


def need(file_bytes: int, shape: Attention, context_tokens: int) -> Need:
    """What a model of a shape takes with a context of so many tokens, or of all that it was trained for."""
    tokens = min(context_tokens, shape.context_tokens)
    return Need(file_bytes, tokens * shape.token_bytes, admission.RUN_BYTES, tokens)


def need_of(model: Model, context_tokens: int) -> Need:
    """What a model of the catalog takes."""
    return need(model.size_bytes, model.shape, context_tokens)


def propose(models: Sequence[Model], machine: Machine, context_tokens: int) -> Proposal:
    """The model of the machine's size, or the largest smaller one that fits into what is free."""
    ladder = sorted(
        (model for model in models if model.ram_gb is not None and model.ram_gb <= machine.nominal_gb),
        key=lambda model: model.ram_gb or 0,
        reverse=True,
    )
    fitting = (model for model in ladder if fits_now(need_of(model, context_tokens), machine))
    return Proposal(next(fitting, None), ladder[0])


def fits_now(wanted: Need, machine: Machine) -> bool:
    """Whether it fits into what is free."""
    return wanted.bytes <= machine.available_bytes


def fits_ever(wanted: Need, machine: Machine) -> bool:
    """Whether it would fit with every other program closed."""
    return wanted.bytes <= machine.ram_bytes - SYSTEM_BYTES


def gpu_for(wanted: Need, machine: Machine) -> Gpu | None:
    """A device that has room for all of it."""
    return next((gpu for gpu in machine.gpus if wanted.bytes <= gpu.free_bytes), None)


def verdict(wanted: Need, machine: Machine) -> str:
    """Whether it fits, in a few words."""
    if gpu_for(wanted, machine) is not None:
        return "fits, GPU too"
    if fits_now(wanted, machine):
        return "fits"
    if fits_ever(wanted, machine):
        return f"needs {gigabytes(wanted.bytes - machine.available_bytes)} more free"
    return "too large for this machine"
