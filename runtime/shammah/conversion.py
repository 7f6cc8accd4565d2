"""A Hugging Face folder becomes the GGUF that serves: converted as it is stored, then quantized by llama.cpp."""

import contextlib
import glob
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from shammah import bases, hardware, locks
from shammah.errors import BadModel, UsageError
from shammah_convert.failpoints import reach
from shammah_convert.files import publish

if TYPE_CHECKING:
    from shammah_convert.base import Quantization
    from shammah_convert.folder import Model

PLAIN = ("F16", "BF16", "F32")
BYTES = {"F32": 4.0, "F16": 2.0, "BF16": 2.0}
# Of Q8_0, which llama.cpp takes where a row is no whole block of the wanted type; no type takes more.
QUANTIZED_BYTES = 34 / 32

LOCK = "lock"
"""Is held in the folder of a conversion that is under way."""

FOLDER_HINT = "Give a folder with config.json, tokenizer.json and the safetensors of a Qwen2, Qwen2.5 or Qwen3."


def check_type(file_type: str) -> str:
    """The type as llama.cpp spells it.

    Raises:
        UsageError: There is no such type; the hint lists all.
    """
    from shammah.local.quantizer import FILE_TYPES

    known = (*FILE_TYPES, *PLAIN)
    if file_type.upper() not in known:
        raise UsageError(f"there is no type {file_type!r}", hint=f"One of {', '.join(known)}.")
    return file_type.upper()


def convert(folder: Path, out: Path, file_type: str, say: Callable[[str], None]) -> None:
    """Convert and quantize a model; the file appears when it is whole, and llama.cpp has run it.

    Args:
        folder: With config.json, tokenizer.json and safetensors.
        out: The GGUF to write.
        file_type: As `check_type` returns it.
        say: Hears what takes long.

    Raises:
        BadModel: The folder holds no Qwen2 or Qwen3, or llama.cpp refuses what was made of it.
        DiskTooSmall: There is no room for the file and what comes between.
        OSError: A file cannot be written.
    """
    from shammah_convert.folder import read_folder
    from shammah_convert.shape import BadBase

    try:
        model = read_folder(folder)
        place = out.absolute().parent
        with _workplace(place, f".{out.name}.") as work:
            hardware.check_disk(place, needed_bytes(model, file_type))
            done = _make(model, work, file_type, say)
            reach("conversion.before_probe")
            bases.probe(done)
            publish(done, out)
    except BadBase as error:
        raise BadModel(f"{folder} is not converted: {error}", hint=FOLDER_HINT) from error


def _make(model: "Model", work: Path, file_type: str, say: Callable[[str], None]) -> Path:
    """The finished file, in a folder of its own."""
    from shammah_convert.folder import write_model
    from shammah_convert.opened import size_label

    between = _between(model, file_type)
    plain, quantized = work / "plain.gguf", work / "quantized.gguf"
    say(f"Converting {size_label(model.weights.parameters)} parameters to {between}.")
    write_model(plain, model, between)
    if file_type == between:
        return plain
    say(f"Quantizing to {file_type}.")
    _quantize(plain, quantized, file_type)
    return quantized


@contextlib.contextmanager
def _workplace(place: Path, prefix: str) -> Iterator[Path]:
    """A folder for what comes between; one that a killed conversion left, with a whole model in it, goes first."""
    for left in place.glob(f"{glob.escape(prefix)}*"):
        if (left / LOCK).is_file() and not locks.is_held(left / LOCK):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=place) as work, locks.only_one(Path(work) / LOCK):
        yield Path(work)


def needed_bytes(model: "Model", file_type: str) -> int:
    """At most so much is on the disk at once: the file, and what comes between."""
    between = BYTES[_between(model, file_type)]
    after = 0.0 if file_type in PLAIN else QUANTIZED_BYTES
    return int(model.weights.parameters * (between + after))


def _between(model: "Model", file_type: str) -> "Quantization":
    """The wanted type where it is a plain one; else the one that loses nothing before llama.cpp rounds."""
    from shammah_convert.base import Quantization

    return next((plain for plain in get_args(Quantization) if plain == file_type and plain in PLAIN), model.stored_as)


def _quantize(source: Path, target: Path, file_type: str) -> None:
    arguments = [os.fspath(source), os.fspath(target), file_type, str(hardware.physical_cores())]
    command = [sys.executable, "-P", "-m", "shammah.local.quantizer", *arguments]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    if child.returncode != 0:
        words = child.stderr.strip().splitlines()
        why = words[-1] if words else f"it ends with {child.returncode}"
        raise BadModel(f"llama.cpp cannot quantize to {file_type}: {why}", hint="Check the free space and memory.")
