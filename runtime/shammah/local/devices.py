"""The GPUs that the installed llama.cpp can put layers on."""

import ctypes
import os
import sys
from pathlib import Path

from shammah.fitting import Gpu
from shammah.local.powers import LIBRARIES

_NAMES = {"darwin": "libggml.dylib", "win32": "ggml.dll"}
# enum ggml_backend_dev_type of ggml-backend.h: 0 is the CPU, 1 a GPU, 2 one that shares the machine's memory.
_GPU_TYPES = (1, 2)


def gpus(folder: Path = LIBRARIES, types: tuple[int, ...] = _GPU_TYPES) -> tuple[Gpu, ...]:
    """Devices with memory of their own, or with a share of the machine's; none where ggml does not tell."""
    try:
        ggml = ctypes.CDLL(os.fspath(folder / _NAMES.get(sys.platform, "libggml.so")))
        count, get, kind = ggml.ggml_backend_dev_count, ggml.ggml_backend_dev_get, ggml.ggml_backend_dev_type
        describe, memory = ggml.ggml_backend_dev_description, ggml.ggml_backend_dev_memory
    except (OSError, AttributeError):  # another version
        return ()
    count.restype, get.restype, kind.restype, describe.restype = (
        ctypes.c_size_t,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_char_p,
    )
    get.argtypes, kind.argtypes, describe.argtypes = [ctypes.c_size_t], [ctypes.c_void_p], [ctypes.c_void_p]
    memory.argtypes, memory.restype = [ctypes.c_void_p, *[ctypes.POINTER(ctypes.c_size_t)] * 2], None
    found = []
    for device in map(get, range(count())):
        if kind(device) in types:
            free, total = ctypes.c_size_t(), ctypes.c_size_t()
            memory(device, ctypes.byref(free), ctypes.byref(total))
            found.append(Gpu(describe(device).decode("utf-8", "replace"), total.value, free.value))
    return tuple(gpu for gpu in found if gpu.total_bytes)
