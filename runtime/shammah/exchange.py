"""Adapters that other tools made, and adapters for other tools: LoRA GGUFs, PEFT folders, merged models."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from shammah import adapters, bases, hardware
from shammah.errors import AdapterError, AdapterUnreadable, BadModel, ModelMissing
from shammah.journal import Journal
from shammah.records.adapters import Adapter
from shammah.records.bases import Base
from shammah_convert.failpoints import reach
from shammah_convert.files import publish
from shammah_convert.job import AdapterFile

if TYPE_CHECKING:
    from shammah_convert import lora
    from shammah_convert.merge import Rounding


@dataclass(frozen=True, slots=True)
class Taken:
    """An adapter that came from outside.

    Attributes:
        is_verified: It says that it was made for the very file of the base; another tool's says nothing of that.
    """

    adapter: Adapter
    is_verified: bool


def take_in(home: Path, source: Path, base: Base, name: str | None = None) -> Taken:
    """Check a LoRA GGUF or a PEFT folder, have llama.cpp run it, and copy it into the home as a GGUF.

    Args:
        home: Where to.
        source: The file or the folder.
        base: The model that is to run it.
        name: What to call it; by default what it calls itself.

    Raises:
        AdapterError: The base cannot run it, or it says that it was made for another.
    """
    with tempfile.TemporaryDirectory() as folder, adapters.our_errors(), _writing(Path(folder)):
        file, card = _as_gguf(source, base, Path(folder))
        card = replace(card, name=name or card.name)
        adapters.check_base(source, card, base, may_be_unknown=True)
        _try(source, file, base)
        reach("conversion.after_probe")
        return Taken(adapters.keep(home, file, card, base), is_verified=bool(card.base_sha256))


def base_of(journal: Journal, adapter: Adapter) -> Base:
    """The model that an adapter was made for, if its file is still the one that was recorded.

    Raises:
        ModelMissing: It is gone, or another file stands in its place.
    """
    base = journal.bases.find(adapter.base)
    if base is None or not Path(base.path).is_file():
        raise ModelMissing(
            f"the model of {adapter.name} is gone{f': {base.path}' if base else ''}",
            hint="Bring it back, and run it once with `shammah ask --model PATH`.",
        )
    if bases.identify(journal, Path(base.path)).sha256 != adapter.base:
        raise ModelMissing(
            f"{base.path} is no more the model that {adapter.name} was made for",
            hint="Bring back the file as it was, and run it once with `shammah ask --model PATH`.",
        )
    return base


def write_gguf(adapter: Adapter, path: Path) -> None:
    """Write an adapter as the LoRA GGUF that it is.

    Raises:
        AdapterError: It cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    with _writing(path, partial):
        shutil.copyfile(adapter.path, partial)
        reach("conversion.before_sync")
        publish(partial, path)


def write_peft(adapter: Adapter, base: Base, folder: Path) -> None:
    """Write an adapter as a PEFT folder.

    Raises:
        AdapterError: It cannot be written.
        BadModel: The base's file cannot be read.
    """
    from shammah_convert import lora, peft
    from shammah_convert.opened import OpenBase

    with adapters.our_errors(), _writing(folder):
        config = OpenBase(Path(base.path)).config
        peft.write_peft(folder, lora.read_lora(Path(adapter.path), config), config)


def write_sum(files: Sequence[AdapterFile], base: Base, folder: Path) -> None:
    """Write what several adapters do together, each at its scale, as one PEFT folder that is whole or not there.

    Raises:
        AdapterError: It cannot be written.
        BadModel: The base's file cannot be read.
    """
    from shammah_convert import lora, peft
    from shammah_convert.adding import added
    from shammah_convert.opened import OpenBase

    with adapters.our_errors(), _writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        config = OpenBase(Path(base.path)).config
        matrices = [(lora.read_lora(Path(file.path), config), file.scale) for file in files]
        with tempfile.TemporaryDirectory(dir=folder.parent) as made:
            partial = Path(made) / folder.name
            peft.write_peft(partial, added(matrices), config)
            _put(partial, folder)


def _put(partial: Path, folder: Path) -> None:
    """Give a folder its name; another of our processes may have been faster."""
    try:
        partial.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def write_merged(adapter: Adapter, scale: float, base: Base, path: Path) -> "Rounding":
    """Write one GGUF of a base with an adapter worked into it, quantized as the base is.

    Raises:
        AdapterError: It cannot be written.
        BadModel: The base's file cannot be read, or is of a type that cannot be packed again.
        DiskTooSmall: There is no room for it.
    """
    from shammah_convert import lora
    from shammah_convert.merge import write_merged
    from shammah_convert.opened import OpenBase

    name = f"{base.name} + {adapter.name}{'' if scale == 1.0 else f' x {scale:g}'}"
    with adapters.our_errors(), _writing(path):
        hardware.check_disk(path.absolute().parent, base.size)
        model = OpenBase(Path(base.path))
        matrices = lora.read_lora(Path(adapter.path), model.config)
        return write_merged(path, model, matrices, scale, name, hardware.physical_cores())


def _as_gguf(source: Path, base: Base, folder: Path) -> "tuple[Path, lora.Card]":
    """The source as a GGUF file, and what it says of itself; what has to be converted is, into the folder."""
    from shammah_convert import lora, peft
    from shammah_convert.opened import OpenBase

    config = OpenBase(Path(base.path)).config
    if source.name in (peft.CONFIG, peft.WEIGHTS):
        source = source.parent
    if not source.is_dir():
        return source, lora.read_lora(source, config).card
    adapter = peft.read_peft(source, config)
    lora.write_lora(folder / "adapter.gguf", adapter, config)
    return folder / "adapter.gguf", adapter.card


def _try(source: Path, file: Path, base: Base) -> None:
    """Have llama.cpp run it, in a process that may die of it."""
    try:
        bases.probe(Path(base.path), file)
    except BadModel as error:
        raise AdapterUnreadable(f"{source} does not run on {base.name}: {error}") from error


@contextlib.contextmanager
def _writing(path: Path, *partial: Path) -> Iterator[None]:
    """Tell why a file cannot be written, and leave no half of it."""
    try:
        yield
    except OSError as error:
        why = error.strerror or error
        raise AdapterError(
            f"{path} cannot be written: {why}", hint="Check the folder, its rights and its free space."
        ) from error
    finally:
        for file in partial:
            file.unlink(missing_ok=True)
