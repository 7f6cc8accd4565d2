"""The trainer's command: an interpreter's own, or what a launcher such as `accelerate launch` makes of it."""

import os
import shlex
import shutil
from pathlib import Path

from shammah.errors import ConfigError

_MODULES = {("accelerate", "launch"): "accelerate.commands.launch", ("torchrun",): "torch.distributed.run"}
"""Launchers that are modules of the trainer's own environment, which may not be on the path."""

HINT = (
    "It is a command that is put before `-m shammah_trainer JOB`, such as"
    ' "accelerate launch --multi_gpu --num_processes 2"; empty trains with one process.'
)


def started(python: str, launch: str, folder: Path) -> list[str]:
    """The command that does the job of a folder.

    Args:
        python: The interpreter that has the trainer.
        launch: A launcher's command; empty for none.
        folder: Of the job.

    Raises:
        ConfigError: The launcher's command cannot be run.
    """
    trainer = ["-m", "shammah_trainer", os.fspath(folder), "--guarded"]
    if not launch:
        return [python, "-P", *trainer]
    return [*words(python, launch), *trainer, "--launched"]


def words(python: str, launch: str) -> list[str]:
    """A launcher's command, taken apart; what the trainer's environment brings is started by its interpreter.

    Raises:
        ConfigError: It cannot be run.
    """
    try:
        found = shlex.split(launch)
    except ValueError as error:
        raise ConfigError(f"`trainer.launch` is {launch!r}, which cannot be read: {error}", hint=HINT) from error
    for name, module in _MODULES.items():
        if tuple(found[: len(name)]) == name:
            return [python, "-m", module, *found[len(name) :]]
    if not found or shutil.which(found[0]) is None:
        raise ConfigError(f"`trainer.launch` is {launch!r}, and no such program is found", hint=HINT)
    return found
