"""Which model file runs, and is it the one that was recorded."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from shammah import config, given
from shammah.compatible import cards
from shammah.errors import BadModel, ModelChanged, ModelMissing
from shammah.journal import Journal
from shammah.records.bases import Base
from shammah.settings import Settings
from shammah.stamps import Stamp, missing, settled, stamp_of
from shammah_convert.split import parts_of

SEEDLING = Path(__file__).parent / "seedling" / "seedling.gguf"
MAGIC = b"GGUF"
PROBE_SECONDS = 300
BLOCK_BYTES = 2**20
_BLOB = re.compile(r"(?:sha256-)?([0-9a-f]{64})")
"""What the hub's cache and Ollama call a file: by its hash."""

Opener = Callable[..., str]
"""Opens a model, and adapters on it, where that may end a process; what is said of it, as JSON."""


def wanted(settings: Settings, environ: Mapping[str, str] = os.environ) -> Path:
    """The file of the model that the settings name; where only a server is named that runs it, the model's card.

    Raises:
        ModelMissing: There is no such file, or a part is missing.
        ModelServerError: The server is asked for the first time, and does not say what it serves.
    """
    chosen = settings.model
    if chosen.server and not chosen.path:
        return cards.card_of(settings, environ)
    try:
        return resolve(chosen.path)
    except ModelMissing as error:
        raise ModelMissing(str(error), hint=_where_named(settings, environ) or error.hint) from error


def _where_named(settings: Settings, environ: Mapping[str, str]) -> str:
    """How another model is chosen, where the one that is not there is named; empty where a flag names it."""
    rows = [*config.in_file(settings.home), *given.in_environment(environ, config.sections())]
    row = next((row for row in reversed(rows) if row.name == "model.path"), None)
    if row is None or row.value != settings.model.path:
        return ""
    if row.level == "environment":
        return f"{row.place} names it: set it to another Qwen GGUF, or unset {row.place}"
    return "`model.path` in config.toml names it: choose another with `shammah models use NAME`, or `seedling`."


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


def _missing(part: Path, parts: int, given: str) -> ModelMissing:
    """What is said of a part that is not there, with the names that are near where a name was given."""
    error = missing(part, parts)
    if parts == 1 and given and "/" not in given and not given.endswith(".gguf"):
        from shammah import model_names

        error.hint = model_names.near(given)
    return error


def is_seedling(file: Path) -> bool:
    """Whether a file is the built-in model."""
    return file == SEEDLING


def identify(
    journal: Journal, file: Path, say: Callable[[str], None] = lambda _: None, opener: Opener | None = None
) -> Base:
    """The record of a model file; its hash is taken again when size, times or inode differ.

    A file with a new hash is checked, and opened in a child process first: malformed ones abort the process.

    Args:
        journal: Of the home.
        file: The model; of a split one the first part.
        say: Hears of waits, and of what there is to compare with.
        opener: Opens what is new; by default in a process of its own.

    Raises:
        BadModel: It is no model that llama.cpp can run, or it changes meanwhile.
        ModelMissing: A part of it is missing.
    """
    if (recorded := known(journal, file)) is not None:
        return recorded
    if cards.is_card(file):
        return _of_card(journal, file)
    before = journal.bases.at(file)
    if not is_seedling(file):
        say(f"{file.name} may have changed: hashing it." if before else f"First use of {file.name}: checking it.")
    stamp, sha256 = _hash(parts_of(file))
    twin = journal.bases.find(sha256)
    if twin is None:
        check(file)
        _tell_reference(file, before, sha256, say)
    name, architecture = (twin.name, twin.architecture) if twin else _facts((opener or open_in_child)(file))
    if stamp_of(file) != stamp:
        raise BadModel(f"{file} changed while it was checked", hint="Try again once nobody writes to it.")
    base = Base(sha256, str(file), stamp.size, stamp.mtime_ns, stamp.inode, name, architecture, stamp.ctime_ns)
    journal.bases.record(base)
    return base


def _of_card(journal: Journal, file: Path) -> Base:
    """The record of a model that a server runs."""
    known, stamp = cards.read(file).identity, stamp_of(file)
    base = Base(known.sha256, str(file), stamp.size, stamp.mtime_ns, stamp.inode, known.name, "served", stamp.ctime_ns)
    journal.bases.record(base)
    return base


def check_unchanged(journal: Journal, base: Base, say: Callable[[str], None] = lambda _: None) -> None:
    """See that the file of an open base holds what was recorded; one that is gone stays open.

    Raises:
        ModelChanged: It holds other bytes, or what is no model.
    """
    file = Path(base.path)
    try:
        if stamp_of(file) == Stamp.of(base) or identify(journal, file, say).sha256 == base.sha256:
            return
    except ModelMissing:  # whoever has it mapped has its bytes
        return
    except BadModel as error:
        raise ModelChanged(f"{file} was changed while it was open: {error}") from error
    raise ModelChanged(f"{file} was changed while it was open, and is another model now")


def known(journal: Journal, file: Path) -> Base | None:
    """The record of a model file, as long as its size, times and inode are those that were recorded.

    Raises:
        ModelMissing: A part of it is missing.
    """
    recorded, stamp = journal.bases.at(file), stamp_of(file)
    return recorded if recorded is not None and Stamp.of(recorded) == stamp else None


def _hash(parts: Sequence[Path]) -> tuple[Stamp, str]:
    """sha256 of a model's bytes, the parts one after the other: what `cat PARTS | sha256sum` prints; and of what file.

    Raises:
        BadModel: A part is no GGUF, or not what its name says.
        ModelMissing: A part is missing.
    """
    stamp = settled(parts)
    digest = hashlib.sha256()
    for part in parts:
        with part.open("rb") as stream:
            if stream.read(4) != MAGIC:
                raise BadModel(f"{part} is no GGUF file")
            stream.seek(0)
            while block := stream.read(BLOCK_BYTES):
                digest.update(block)
    sha256, named = digest.hexdigest(), _named_hash(parts)
    if named not in (None, sha256):
        raise BadModel(f"{parts[0]} has sha256 {sha256}, and not the one that it is called by: it is damaged")
    return stamp, sha256


def _named_hash(parts: Sequence[Path]) -> str | None:
    """The hash that a cache calls a file by; None where its name says nothing of it, or there are several."""
    name = _BLOB.fullmatch(parts[0].resolve().name)
    return name[1] if name and len(parts) == 1 else None


def _tell_reference(file: Path, before: Base | None, sha256: str, say: Callable[[str], None]) -> None:
    """Say of a file with a new hash what there is to compare it with."""
    if before is not None:
        say(
            f"{file.name} is not the file that was recorded (sha256 {before.sha256[:12]} before, {sha256[:12]} now):"
            " it counts as another model, and what was learnt for the one before is not applied."
        )
    elif not is_seedling(file) and _named_hash(parts_of(file)) is None:
        say(f"Nothing here tells which bytes it should have: compare its sha256 with its source's, {sha256}.")


def _facts(said: str) -> tuple[str, str]:
    """Name and architecture of a file that survived being opened and run for one token."""
    facts = json.loads(said)
    return facts["name"], facts["architecture"]


def check(file: Path) -> None:
    """Check what a model's header says of itself, before anything runs it.

    Raises:
        BadModel: It is no Qwen, or one that cannot be.
    """
    from shammah_convert.inspect import check_header  # opens gguf: 0.1 s that no answer needs
    from shammah_convert.shape import BadBase

    try:
        check_header(file)
    except BadBase as error:
        raise BadModel(f"{file} is refused: {error}") from error


def probe(file: Path, *adapters: Path) -> str:
    """Check a model, and open it, with adapters on it, in a child process; what it says.

    Raises:
        BadModel: One of them is refused, or the child dies of it.
    """
    check(file)
    return open_in_child(file, *adapters)


def open_in_child(file: Path, *adapters: Path) -> str:
    """Open a model, and adapters on it, in a process that has limits and may die of it; what it says.

    Raises:
        BadModel: One of them is refused, or the child dies of it.
    """
    command = [sys.executable, "-P", "-m", "shammah.probe", os.fspath(file), *map(os.fspath, adapters)]
    what = adapters[0] if adapters else file
    quiet = os.environ | {"GGML_NO_BACKTRACE": "1"}  # else a debugger is looked for, which takes seconds
    try:
        child = subprocess.run(command, env=quiet, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise BadModel(f"{what} cannot be opened within {PROBE_SECONDS} s") from error
    if child.returncode < 0:
        raise BadModel(f"{what} is refused: whoever opens it is ended by signal {-child.returncode}")
    if child.returncode != 0:
        words = child.stderr.strip().splitlines()
        raise BadModel(f"{what} is refused: {words[-1] if words else f'opening it ends with {child.returncode}'}")
    return child.stdout
