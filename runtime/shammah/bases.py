"""Which model file runs, and is it the one that was recorded."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from shammah.compatible import cards
from shammah.config import Settings
from shammah.errors import BadModel, ModelMissing
from shammah.journal import Journal
from shammah.records import Base
from shammah_convert.split import parts_of

SEEDLING = Path(__file__).parent / "seedling" / "seedling.gguf"
MAGIC = b"GGUF"
PROBE_SECONDS = 300
BLOCK_BYTES = 2**20


def wanted(settings: Settings, environ: Mapping[str, str] = os.environ) -> Path:
    """The file of the model that the settings name; where only a server is named that runs it, the model's card.

    Raises:
        ModelMissing: There is no such file, or a part is missing.
        ModelServerError: The server is asked for the first time, and does not say what it serves.
    """
    chosen = settings.model
    if chosen.server and not chosen.path:
        return cards.card_of(settings, environ)
    return resolve(chosen.path)


def resolve(path: str) -> Path:
    """The model file that a setting names, of a split one the first; the built-in seedling where it names none.

    Args:
        path: A path, or what `shammah models list` calls a model.

    Raises:
        ModelMissing: There is no such file, or a part is missing.
    """
    if path and not path.startswith(("/", "~", ".")):  # as `shammah models use` leaves it
        from shammah import model_names  # 10 ms that such a path does not need

        if model_names.is_name(path):
            return model_names.resolve(path) or SEEDLING
    parts = parts_of(Path(path).expanduser().absolute() if path else SEEDLING)
    for part in parts:
        if not part.is_file():
            raise _missing(part, len(parts), path)
    return parts[0]


def is_seedling(file: Path) -> bool:
    """Whether a file is the built-in model."""
    return file == SEEDLING


def identify(journal: Journal, file: Path, say: Callable[[str], None] = lambda _: None) -> Base:
    """The record of a model file; its hash is taken again when size, time or inode differ.

    A file with a new hash is opened in a child process first: malformed ones abort the process.

    Raises:
        BadModel: It is no model that llama.cpp can run.
        ModelMissing: A part of it is missing.
    """
    if (recorded := known(journal, file)) is not None:
        return recorded
    parts = parts_of(file)
    size, mtime_ns, inode = _stamp(parts)
    if cards.is_card(file):
        card = cards.read(file)
        base = Base(card.sha256, str(file), size, mtime_ns, inode, card.model, "served")
        journal.record_base(base)
        return base
    if not is_seedling(file):
        say(f"First use of {file.name}: checking it.")
    sha256 = _hash(parts)
    twin = journal.base(sha256)
    name, architecture = (twin.name, twin.architecture) if twin else _probe(file)
    base = Base(sha256, str(file), size, mtime_ns, inode, name, architecture)
    journal.record_base(base)
    return base


def known(journal: Journal, file: Path) -> Base | None:
    """The record of a model file, as long as its size, time and inode are those that were recorded.

    Raises:
        ModelMissing: A part of it is missing.
    """
    recorded, stamp = journal.base_at(file), stamp_of(file)
    is_same = recorded is not None and (recorded.size, recorded.mtime_ns, recorded.inode) == stamp
    return recorded if is_same else None


def size_of(file: Path) -> int:
    """Bytes of a model, of a split one those of all its parts.

    Raises:
        ModelMissing: A part of it is missing.
    """
    return stamp_of(file)[0]


def stamp_of(file: Path) -> tuple[int, int, int]:
    """Size, time and inode of a model, by which a change is seen.

    Raises:
        ModelMissing: A part of it is missing.
    """
    return _stamp(parts_of(file))


def _stamp(parts: Sequence[Path]) -> tuple[int, int, int]:
    """Size, time and inode of a file; of several the sum, the newest, and a digest that a change in any part changes.

    Raises:
        ModelMissing: A part is missing.
    """
    stats = []
    for part in parts:
        try:
            stats.append(part.stat())
        except FileNotFoundError as error:
            raise _missing(part, len(parts)) from error
    if len(stats) == 1:
        return stats[0].st_size, stats[0].st_mtime_ns, stats[0].st_ino
    seen = json.dumps([(stat.st_size, stat.st_mtime_ns, stat.st_ino) for stat in stats])
    digest = int.from_bytes(hashlib.sha256(seen.encode()).digest()[:7])  # SQLite's integers have 63 bits and a sign
    return sum(stat.st_size for stat in stats), max(stat.st_mtime_ns for stat in stats), digest


def _missing(part: Path, parts: int, given: str = "") -> ModelMissing:
    if parts == 1:
        if not given or "/" in given or given.endswith(".gguf"):
            return ModelMissing(f"there is no model at {part}")
        from shammah import model_names

        return ModelMissing(f"there is no model at {part}", hint=model_names.near(given))
    return ModelMissing(f"{part} is missing", hint=f"The model has {parts} parts: put all of them into one folder.")


def _hash(parts: Sequence[Path]) -> str:
    """sha256 of a model's bytes, the parts one after the other: what `cat PARTS | sha256sum` prints."""
    digest = hashlib.sha256()
    for part in parts:
        with part.open("rb") as stream:
            if stream.read(4) != MAGIC:
                raise BadModel(f"{part} is no GGUF file")
            stream.seek(0)
            while block := stream.read(BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()


def _probe(file: Path) -> tuple[str, str]:
    """Name and architecture of a file that survives being opened and run for one token."""
    facts = json.loads(probe(file))
    return facts["name"], facts["architecture"]


def probe(file: Path, *adapters: Path) -> str:
    """Open a model, and adapters on it, in a child process; what it says.

    Raises:
        BadModel: One of them is refused, or the child dies of it.
    """
    command = [sys.executable, "-P", "-m", "shammah.probe", os.fspath(file), *map(os.fspath, adapters)]
    what = adapters[0] if adapters else file
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise BadModel(f"{what} cannot be opened within {PROBE_SECONDS} s") from error
    if child.returncode != 0:
        words = child.stderr.strip().splitlines()
        raise BadModel(f"{what} is refused: {words[-1] if words else f'opening it ends with {child.returncode}'}")
    return child.stdout
