"""Which model file runs, and is it the one that was recorded."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from shammah.errors import BadModel, ModelMissing
from shammah.journal import Journal
from shammah.records import Base

SEEDLING = Path(__file__).parent / "seedling" / "seedling.gguf"
MAGIC = b"GGUF"
PROBE_SECONDS = 300


def resolve(path: str) -> Path:
    """The model file that a setting names; the built-in seedling where it names none.

    Raises:
        ModelMissing: There is no such file.
    """
    file = Path(path).expanduser().absolute() if path else SEEDLING
    if not file.is_file():
        raise ModelMissing(f"there is no model at {file}")
    return file


def is_seedling(file: Path) -> bool:
    """Whether a file is the built-in model."""
    return file == SEEDLING


def identify(journal: Journal, file: Path, say: Callable[[str], None] = lambda _: None) -> Base:
    """The record of a model file; its hash is taken again when size, time or inode differ.

    A file with a new hash is opened in a child process first: malformed ones abort the process.

    Raises:
        BadModel: It is no model that llama.cpp can run.
    """
    stat = file.stat()
    known = journal.base_at(file)
    if known and (known.size, known.mtime_ns, known.inode) == (stat.st_size, stat.st_mtime_ns, stat.st_ino):
        return known
    if not is_seedling(file):
        say(f"First use of {file.name}: checking it.")
    sha256 = _hash(file)
    twin = journal.base(sha256)
    name, architecture = (twin.name, twin.architecture) if twin else _probe(file)
    base = Base(sha256, str(file), stat.st_size, stat.st_mtime_ns, stat.st_ino, name, architecture)
    journal.record_base(base)
    return base


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        if stream.read(4) != MAGIC:
            raise BadModel(f"{file} is no GGUF file")
        stream.seek(0)
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _probe(file: Path) -> tuple[str, str]:
    """Name and architecture of a file that survives being opened and run for one token."""
    command = [sys.executable, "-P", "-m", "shammah.probe", os.fspath(file)]
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise BadModel(f"{file} cannot be opened within {PROBE_SECONDS} s") from error
    if child.returncode != 0:
        words = child.stderr.strip().splitlines()
        raise BadModel(f"{file} is refused: {words[-1] if words else f'opening it ends with {child.returncode}'}")
    facts = json.loads(child.stdout)
    return facts["name"], facts["architecture"]
