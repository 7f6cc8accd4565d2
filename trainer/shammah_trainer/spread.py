"""One training on several processes: which of them this is, and what they do together. Alone, all of it does nothing.

Each process draws the same rows, works on its own share of them, and the gradients are added up, so that a step is the
one that a lone process would make, but for the order of sums. Only the first one writes.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from accelerate.utils.environment import get_cpu_distributed_information, parse_flag_from_env
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from shammah_trainer.budget import Machine

T = TypeVar("T")

MEETING = timedelta(minutes=10)
"""Until all processes are there, on all machines."""

PATIENCE = timedelta(days=7)
"""That one process waits for another, which may stand still for an answer; one that dies is noticed at once."""

BACKENDS = "cpu:gloo,cuda:nccl"


class LeftAlone(RuntimeError):
    """A launcher was asked for several processes, and started one; the text says what helps."""


@dataclass(frozen=True, slots=True)
class Spread:
    """This process among those of the training.

    Attributes:
        rank: Counts the processes; the first one, 0, is the one that writes.
        local_rank: Counts those of this machine.
        is_sharded: Whether each is to hold its share of the base alone.
        is_on_cpu: Whether no GPU may be used.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    is_sharded: bool = False
    is_on_cpu: bool = False

    @classmethod
    def of_environment(cls) -> "Spread":
        """As `accelerate launch`, torchrun or MPI said it to this process."""
        seen = get_cpu_distributed_information()
        return cls(
            rank=seen.rank,
            size=seen.world_size,
            local_rank=seen.local_rank,
            local_size=seen.local_world_size,
            is_sharded=seen.world_size > 1 and parse_flag_from_env("ACCELERATE_USE_FSDP"),
            is_on_cpu=parse_flag_from_env("ACCELERATE_USE_CPU"),
        )

    @property
    def is_alone(self) -> bool:
        """Whether no other process is there."""
        return self.size == 1

    @property
    def is_first(self) -> bool:
        """Whether it is this one that writes."""
        return self.rank == 0

    def join(self) -> Store | None:
        """Meet the others; what all of them can write a word into, None without others.

        Raises:
            LeftAlone: There were to be others.
            RuntimeError: They cannot be reached.
        """
        if self.is_alone:
            if _is_left_alone():
                raise LeftAlone(
                    "`accelerate launch --cpu` starts one process, whatever --num_processes says, and leaves the others"
                    " to MPI (--mpirun_hostfile); with --multi_gpu instead of --cpu it starts all, also without a GPU"
                )
            return None
        for name, value in (("RANK", self.rank), ("WORLD_SIZE", self.size)):  # MPI has names of its own for these
            os.environ.setdefault(name, str(value))
        store: Store
        store, _, _ = next(rendezvous("env://", timeout=MEETING))
        backend = BACKENDS if torch.cuda.is_available() and not self.is_on_cpu else "gloo"
        group = PrefixStore("training", store)
        dist.init_process_group(backend, store=group, rank=self.rank, world_size=self.size, timeout=PATIENCE)
        return store

    def leave(self) -> None:
        """Part from the others, who need nothing more."""
        if dist.is_initialized():
            dist.destroy_process_group()

    def threads(self, count: int) -> int:
        """This process's share of the machine's."""
        return max(1, count // self.local_size)

    def own(self, rows: Sequence[T]) -> tuple[Sequence[T], float]:
        """This process's share of rows, and what it weighs.

        There is always one row: the others' layers may wait for ours. Where the share is empty, it weighs 0.
        """
        share = rows[self.rank :: self.size]
        return (share, 1.0) if share else (rows[:1], 0.0)

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Make each tensor the sum of all processes', in one message."""
        if self.is_alone:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        flat = flat.cpu() if flat.device.type == "mps" else flat  # gloo does not reach Metal
        dist.all_reduce(flat)
        for tensor, total in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(total.view_as(tensor))

    def sum(self, value: float) -> float:
        """Of all processes' values."""
        if self.is_alone:
            return value
        total = torch.tensor(value, dtype=torch.float64)
        dist.all_reduce(total)
        return float(total)

    def any(self, claim: bool) -> bool:
        """Whether one of the processes says so."""
        return self.sum(float(claim)) > 0

    def same(self, value: T) -> T:
        """What the first process has, for all."""
        if self.is_alone:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
        return box[0]

    def every(self, value: T) -> list[T]:
        """What each process has, by rank."""
        if self.is_alone:
            return [value]
        found: list[T] = [value] * self.size
        dist.all_gather_object(found, value)
        return found

    def agreed(self, machine: Machine) -> Machine:
        """What each process has at least: all plan with the same."""
        all_of_them = self.every(machine)
        return replace(
            machine,
            free_bytes=min(each.free_bytes for each in all_of_them),
            threads=min(each.threads for each in all_of_them),
            is_fast_in_bfloat16=all(each.is_fast_in_bfloat16 for each in all_of_them),
        )


def _is_left_alone() -> bool:
    """Whether accelerate was asked for several processes on the processor: it leaves starting those to MPI."""
    is_asked = parse_flag_from_env("ACCELERATE_USE_CPU") and "MASTER_ADDR" in os.environ
    return is_asked and "TORCHELASTIC_RUN_ID" not in os.environ


ALONE = Spread()
