"""What there is to train with: memory, cores, a GPU."""

import ctypes
import math
import sys

import psutil
import torch

from shammah_trainer.budget import Machine
from shammah_trainer.spread import ALONE, Spread

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""As malloc.h numbers them."""

_KEPT_BYTES = 65_536

GPU_SHARE = 0.9
"""Of a GPU's free memory: its own library takes some, and its allocator rounds up."""


def devices(spread: Spread = ALONE) -> tuple[torch.device, ...]:
    """A GPU where torch finds one, CUDA or Metal, and the processor, which has more memory.

    Of several CUDA GPUs, each process of this machine takes its own.
    """
    cpu = torch.device("cpu")
    if spread.is_on_cpu:
        return (cpu,)
    if torch.cuda.is_available():
        torch.cuda.set_device(spread.local_rank % torch.cuda.device_count())
        return torch.device("cuda", torch.cuda.current_device()), cpu
    is_metal = torch.backends.mps.is_available() and not spread.is_sharded  # FSDP does not reach it
    return (torch.device("mps"), cpu) if is_metal else (cpu,)


def look(device: torch.device, threads: int, most_bytes: int = 0, spread: Spread = ALONE) -> Machine:
    """Look at this process's share of a part of the machine.

    Args:
        device: To train on.
        threads: Cores to use, of all processes of this machine.
        most_bytes: That may be taken by all of them; 0 allows all that is free.
        spread: Who shares the machine.
    """
    kind = device.type
    free = {"cuda": _free_cuda_bytes, "mps": _free_metal_bytes, "cpu": _free_bytes}[kind]()
    sharers = math.ceil(spread.local_size / torch.cuda.device_count()) if kind == "cuda" else spread.local_size
    free, most_bytes = free // sharers, most_bytes // spread.local_size
    return Machine(
        free_bytes=min(free, most_bytes) if most_bytes else free,
        threads=spread.threads(threads),
        is_fast_in_bfloat16=_is_fast_in_bfloat16(kind),
        is_gpu=kind == "cuda",
        is_bounded=0 < most_bytes < free,
    )


def held_bytes(file_bytes: int, largest_bytes: int, device: torch.device, spread: Spread = ALONE) -> int:
    """What of a base of so many bytes counts for one process.

    On the processor the file is mapped: its pages are there once for all processes of a machine. Sharded, each holds
    its share of it, and for a moment the whole of one tensor, of so many bytes at most.
    """
    if spread.is_sharded:
        return file_bytes // spread.size + largest_bytes
    return file_bytes if device.type == "cuda" else file_bytes // spread.local_size


def return_memory_at_once() -> None:
    """Let the allocator keep nothing that is free: its heap would be left in fragments, 0.5 GB of them at 1.5B.

    By mallopt(3) of glibc; other allocators keep little by themselves.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        libc.mallopt(_M_MMAP_THRESHOLD, 2 * _KEPT_BYTES)  # larger blocks stay out of the heap


def _free_bytes() -> int:
    return int(psutil.virtual_memory().available)


def _free_metal_bytes() -> int:
    return min(_free_bytes(), int(torch.mps.recommended_max_memory()))


def _free_cuda_bytes() -> int:
    return int(GPU_SHARE * torch.cuda.mem_get_info()[0])


def _is_fast_in_bfloat16(kind: str) -> bool:
    """On processors, where matrix products have an instruction for it; elsewhere it is taken apart to float32."""
    if kind == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return kind == "mps" or torch.cuda.is_bf16_supported()
