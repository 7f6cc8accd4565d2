"""A training whose checkpoints were damaged while nobody worked on it."""

import atexit
import shutil
import signal
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from shammah_convert.failpoints import VARIABLE
from shammah_convert.job import ADAPTER, CHECKPOINTS
from shammah_trainer.__main__ import DONE
from tests.faults.trainer_death import eager
from tests.forks import codes, fork
from tests.job_folders import job_on, prepare, told
from tests.qwens import Kind

STEPS = 3
"""The training is cut off after so many, each with a checkpoint: the newest two are there."""


def go_on(folder: Path, spoil: Callable[[bytes], bytes], count: int) -> None:
    """Damage the newest checkpoints of a training that was cut off, and go on with it in a folder of its own."""
    cut_off, adapter = _trained()
    shutil.copytree(cut_off, folder)
    newest = sorted(folder.glob(CHECKPOINTS), reverse=True)[:count]
    whole = {path: path.read_bytes() for path in newest}
    spoiled = {path: spoil(data) for path, data in whole.items()}
    for path, data in spoiled.items():
        path.write_bytes(data)
    assert codes([fork(eager, folder)]) == [DONE]
    assert (folder / ADAPTER).read_bytes() == adapter, "it made another adapter"
    _check(folder, {path: data for path, data in spoiled.items() if data != whole[path]})


def _check(folder: Path, spoiled: dict[Path, bytes]) -> None:
    """What was damaged is there under a dated name, which was said, and nothing else is."""
    said = {line["checkpoint"]: line["name"] for line in told(folder) if line["event"] == "set_aside"}
    assert {folder / name: (folder / dated).read_bytes() for name, dated in said.items()} == spoiled
    assert len(list(folder.glob("*.aside-*"))) == len(spoiled)


@cache
def _trained() -> tuple[Path, bytes]:
    """A training that was cut off, and the adapter that it makes where nothing is damaged."""
    folder = Path(tempfile.mkdtemp(prefix="shammah-training-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    cut_off, whole = folder / "cut-off", folder / "whole"
    cut_off.mkdir()
    prepare(cut_off, job_on(Kind().write(folder / "base.gguf")))
    point = f"training.after_checkpoint:{STEPS}"
    assert codes([fork(eager, cut_off, **{VARIABLE: point})]) == [-signal.SIGKILL]
    shutil.copytree(cut_off, whole)
    assert codes([fork(eager, whole)]) == [DONE]
    return cut_off, (whole / ADAPTER).read_bytes()
