"""Which adapters are active, is each the file that was recorded, and does it fit its base."""

import contextlib
import hashlib
import math
import os
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from shammah.errors import (
    AdapterChanged,
    AdapterDoesNotFit,
    AdapterError,
    AdapterForOtherBase,
    AdapterUnreadable,
    AdapterValues,
    BadModel,
    NotAnAdapter,
    UsageError,
)
from shammah.generation import ActiveSet
from shammah.journal import Journal
from shammah.naming import plain
from shammah.records.adapters import Adapter
from shammah.records.bases import Base
from shammah.rows import now
from shammah_convert.files import publish
from shammah_convert.job import AdapterFile

if TYPE_CHECKING:
    from shammah_convert import lora

LARGEST_SCALE = 10.0
MOST_ACTIVE = 8
"""Each adapter is one more pair of products for every matrix and token."""


class Adaptable(Protocol):
    """A model whose adapters can be swapped."""

    @property
    def applied(self) -> tuple[AdapterFile, ...]:
        """What is applied, in order."""
        ...

    def apply(self, adapters: Sequence[AdapterFile]) -> None:
        """Make these the applied adapters."""
        ...


def active_files(journal: Journal, base: str) -> list[AdapterFile]:
    """The files of a base's active set, with their scales."""
    return files_of(journal, base, journal.adapters.active(base))


def files_of(journal: Journal, base: str, names: ActiveSet) -> list[AdapterFile]:
    """The files of a base's adapters, with their scales; what is gone is left out."""
    found = ((journal.adapters.find(name), scale) for name, scale in names)
    return [_file(adapter, scale) for adapter, scale in found if adapter is not None and adapter.base == base]


def names_now(journal: Journal, base: str, files: Sequence[AdapterFile]) -> list[str]:
    """What the adapters of a base are called by now; those that are gone, as they were."""
    return [(journal.adapters.of_file(file.sha256, base) or file).name for file in files]


def apply_active(model: Adaptable, journal: Journal, base: str, say: Callable[[str], None]) -> None:
    """Swap to the active set where another is applied; where a file cannot be used, say so and go on as it was."""
    try:
        swap(model, active_files(journal, base))
    except AdapterError as error:
        say(f"The active adapter cannot be applied: {error}. {error.hint}")


def swap(model: Adaptable, files: Sequence[AdapterFile]) -> None:
    """Make these the applied adapters, where others are; each is checked first.

    Raises:
        AdapterError: One cannot be used; what was applied stays applied.
    """
    if tuple(files) == model.applied:
        return
    for file in files:
        verify(file)
    model.apply(files)


def verify(file: AdapterFile) -> None:
    """Check that a file is the one that was recorded.

    Raises:
        AdapterUnreadable: It is gone.
        AdapterChanged: It holds other bytes.
    """
    try:
        sha256 = hash_of(Path(file.path))
    except OSError as error:
        raise AdapterUnreadable(
            f"{file.name} cannot be read: {file.path}: {error.strerror}",
            hint="Go back with `shammah adapters rollback`, or forget it with `shammah adapters use none`.",
        ) from error
    if sha256 != file.sha256:
        raise AdapterChanged(f"{file.path} is not the file that was recorded as {file.name}")


def read(path: Path, base: Base) -> "lora.Adapter":
    """Read an adapter file that a base is to run.

    Raises:
        AdapterError: The base cannot run it, in one of the named ways.
    """
    with our_errors():
        from shammah_convert import lora  # opens gguf: 0.1 s that no answer needs
        from shammah_convert.opened import OpenBase

        adapter = lora.read_lora(path, OpenBase(Path(base.path)).config)
    check_base(path, adapter.card, base)
    return adapter


def check_base(path: Path, card: "lora.Card", base: Base, may_be_unknown: bool = False) -> None:
    """Check that an adapter was made for the very file of a base.

    Raises:
        AdapterForOtherBase: It was made for another, or does not say for which.
    """
    if card.base_sha256 == base.sha256 or (may_be_unknown and not card.base_sha256):
        return
    if not card.base_sha256:
        command = f"shammah adapters import {shlex.quote(str(path))}"
        raise AdapterForOtherBase(
            f"{path} does not say which model it was made for",
            hint=f"Where another tool made it for this one, take it in unverified: {command}",
        )
    raise AdapterForOtherBase(f"{path} was made for another file than {base.name} ({card.base_name})")


@contextlib.contextmanager
def our_errors() -> Iterator[None]:
    """Turn what the border says of adapters and models into our own errors.

    Raises:
        AdapterError: An adapter is none, or does not fit.
        BadModel: A model cannot be read.
    """
    from shammah_convert import lora
    from shammah_convert.shape import BadBase

    kinds: dict[type[lora.BadAdapter], type[AdapterError]] = {
        lora.NoAdapterFile: AdapterUnreadable,
        lora.WrongKind: NotAnAdapter,
        lora.WrongBase: AdapterForOtherBase,
        lora.WrongTensors: AdapterDoesNotFit,
        lora.BadValues: AdapterValues,
    }
    try:
        yield
    except lora.BadAdapter as error:
        raise kinds[type(error)](str(error)) from error
    except BadBase as error:
        raise BadModel(str(error)) from error


def install(home: Path, source: Path, base: Base, training: int | None = None) -> Adapter:
    """Check an adapter file and copy it into the home; it is whole on the disk before anybody names it.

    Raises:
        AdapterError: The base cannot run it.
    """
    return keep(home, source, read(source, base).card, base, training)


def keep(home: Path, source: Path, card: "lora.Card", base: Base, training: int | None = None) -> Adapter:
    """Copy a checked adapter file into the home, under the name that its card has.

    Raises:
        AdapterError: It cannot be written.
    """
    sha256 = hash_of(source)
    folder = home / "adapters"
    path = folder / (card.file_name if training is not None else f"{plain(card.name)}-{sha256[:8]}.gguf")
    partial = path.with_name(path.name + ".partial")
    try:
        folder.mkdir(exist_ok=True, mode=0o700)
        partial.unlink(missing_ok=True)
        if training is None or not _is_linked(source, partial):
            shutil.copyfile(source, partial)
        publish(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise AdapterError(
            f"{path} cannot be written: {error.strerror}", hint="Check the free space and the rights of SHAMMAH_HOME."
        ) from error
    verify(AdapterFile(card.name, str(path), sha256))
    return Adapter(
        name=plain(card.name),
        base=base.sha256,
        path=str(path),
        sha256=sha256,
        parent=card.parent or None,
        scores=dict(card.scores),
        created=now(),
        training=training,
    )


def record(journal: Journal, adapter: Adapter) -> Adapter:
    """Record an adapter that came from outside; the same file twice is recorded once, as what it is called by now.

    Raises:
        UsageError: Another adapter has its name; its file is removed.
    """
    known = journal.adapters.find(adapter.name)
    if known is not None and (known.sha256, known.base) != (adapter.sha256, adapter.base):
        Path(adapter.path).unlink()
        raise UsageError(
            f"there is another adapter {adapter.name}", hint=f"Delete it first: shammah adapters delete {known.name}"
        )
    known = known or journal.adapters.at_path(adapter.path)
    if known is None:
        journal.adapters.add(adapter)
    elif known.path != adapter.path:
        Path(adapter.path).replace(known.path)  # the same bytes, in their place again
    return known or adapter


def parse_set(journal: Journal, words: Sequence[str]) -> tuple[str, ActiveSet]:
    """The base and the set that NAME[:SCALE]... names.

    Raises:
        UsageError: A name or scale is none, there are too many, or they belong to different bases.
        AdapterError: A file is not the one that was recorded.
    """
    if len(words) > MOST_ACTIVE:
        raise UsageError(
            f"{len(words)} adapters are too many at once",
            hint=f"Give {MOST_ACTIVE} at most; `shammah train --continue` makes one of those that are active.",
        )
    chosen: list[tuple[Adapter, float]] = []
    for word in words:
        name, _, number = word.partition(":")
        chosen.append((find(journal, name), _scale(word, number)))
    names, bases = [adapter.name for adapter, _ in chosen], {adapter.base for adapter, _ in chosen}
    if len(set(names)) < len(names):
        raise UsageError("an adapter is named twice", hint="Give each once, as NAME:SCALE.")
    if len(bases) > 1:
        raise UsageError("these adapters were made for different models", hint="See `shammah adapters list`.")
    for adapter, scale in chosen:
        verify(_file(adapter, scale))
    return bases.pop(), tuple((adapter.name, scale) for adapter, scale in chosen)


def hash_of(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def find(journal: Journal, name: str) -> Adapter:
    """An adapter by its name.

    Raises:
        UsageError: There is none.
    """
    is_text = (
        name.encode("utf-8", "replace").decode() == name
    )  # half a surrogate pair is none, and no database takes it
    adapter = journal.adapters.find(name) if is_text else None
    if adapter is None:
        raise UsageError(f"there is no adapter {name!r}", hint="See `shammah adapters list`.")
    return adapter


def _scale(word: str, text: str) -> float:
    try:
        scale = float(text) if text else 1.0
    except ValueError:
        scale = math.nan
    if not (math.isfinite(scale) and 0 < abs(scale) <= LARGEST_SCALE):
        raise UsageError(f"{word!r} has no usable scale", hint=f"Give NAME or NAME:SCALE, up to {LARGEST_SCALE:g}.")
    return scale


def _file(adapter: Adapter, scale: float) -> AdapterFile:
    return AdapterFile(adapter.name, adapter.path, adapter.sha256, scale)


def _is_linked(source: Path, partial: Path) -> bool:
    """Whether a second name could be given to a file, which takes no room; not every file system can."""
    try:
        os.link(source, partial)
    except OSError:
        return False
    return True
