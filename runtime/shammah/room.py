"""The room on the disk that a training takes, compared with what is free before anything is begun."""

from pathlib import Path

from shammah import hardware
from shammah_convert.job import CHECKPOINTS
from shammah_convert.shape import BaseConfig, lora_values

# In float32: the value and AdamW's two moments; in float16: the value as it was when held-out answers fared best.
CHECKPOINT_VALUE_BYTES = 14
CHECKPOINTS_AT_ONCE = 3
"""Two are kept, and a third is whole before the oldest goes."""
# In float16: once in the job folder, and once among the home's adapters where no second name can be given to a file.
ADAPTER_VALUE_BYTES, ADAPTERS_AT_ONCE = 2, 2
OTHER_BYTES = 16_000_000
"""Examples, progress, report with page, and the journal's own."""


def check(folder: Path, base: Path, rank: int) -> None:
    """Check that a training's files fit on the disk.

    Args:
        folder: Of the job; the checkpoints that it holds already count as written.
        base: The GGUF that is trained.
        rank: Of the adapter.

    Raises:
        DiskTooSmall: They do not.
        BadBase: The base cannot be read.
    """
    kept_bytes = sum(path.stat().st_size for path in folder.glob(CHECKPOINTS))
    hardware.check_disk(folder, needed_bytes(shape_of(base), rank) - kept_bytes)


def shape_of(base: Path) -> BaseConfig:
    """The shape of a model, from its file.

    Raises:
        BadBase: It cannot be read.
    """
    from shammah_convert.opened import OpenBase  # opens gguf: 0.1 s

    return OpenBase(base).config


def needed_bytes(base: BaseConfig, rank: int) -> int:
    """At most so much is on the disk at once."""
    each = CHECKPOINT_VALUE_BYTES * CHECKPOINTS_AT_ONCE + ADAPTER_VALUE_BYTES * ADAPTERS_AT_ONCE
    return each * lora_values(base, rank) + OTHER_BYTES
