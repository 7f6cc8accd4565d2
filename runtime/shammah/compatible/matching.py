"""Whether a server runs what a file holds that is said to be what it runs: as far as the server tells, it has to."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from shammah.compatible.identity import Identity
from shammah.errors import BadModel, NotServed
from shammah.records.bases import Base
from shammah_convert.files import write_whole

FOLDER, SUFFIX = "servers", ".matched.json"
LEAVE = "If it is another model, give its file with `model.path`, or none: shammah config unset model.path"


@dataclass(frozen=True, slots=True)
class Match:
    """A server's model that was compared with a file."""

    identity: Identity
    sha256: str

    def as_text(self) -> str:
        """As it is kept."""
        return json.dumps(self.identity.as_row() | {"sha256": self.sha256})

    @classmethod
    def read(cls, path: Path) -> "Match | None":
        """As it was kept; None where none was."""
        try:
            row = json.loads(path.read_text("utf-8"))
            return cls(Identity.read(row), str(row["sha256"]))
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None


def compare(url: str, found: Identity, base: Base, note: Path) -> list[str]:
    """Compare what a server runs with a file, where that was not done yet; what is doubtful, in words.

    Args:
        url: Of the server.
        found: What it runs.
        base: The file that is said to be that.
        note: Where the last comparison is kept.

    Raises:
        NotServed: It cannot be that file.
    """
    last, match = Match.read(note), Match(found, base.sha256)
    if last == match:
        return []
    refuse(url, found, Path(base.path))
    before = last.identity if last is not None and last.sha256 == base.sha256 else None
    said = list(_doubts(url, found, Path(base.path), before))
    note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(note, match.as_text())
    return said


def refuse(url: str, found: Identity, file: Path) -> None:
    """See that a server may run a file, by the numbers that it tells.

    Raises:
        NotServed: It cannot be that file.
    """
    if not any((found.weights.parameters, found.weights.size_bytes, found.weights.vocabulary)):
        return
    if words := _mismatch(found, file):
        where = f" from {found.source}" if found.source else ""
        raise NotServed(f"{url} runs {found.name}{where}, which is not {file}: {words}", hint=LEAVE)


def _mismatch(found: Identity, file: Path) -> str:
    from shammah_convert.header import BadHeader
    from shammah_convert.sizes import Sizes  # opens gguf: 0.1 s, once for each model of a server

    try:
        ours = Sizes.read(file)
    except (BadHeader, OSError) as error:
        raise BadModel(f"{file} cannot be compared with what the server runs: {error}") from error
    told = found.weights
    numbers = [
        (told.parameters, ours.parameters, "parameters"),
        (told.size_bytes, ours.size_bytes, "bytes of tensors"),
        (told.vocabulary, ours.vocabulary, "tokens in its vocabulary"),
    ]
    return next((f"it has {one:,} {what}, the file {two:,}" for one, two, what in numbers if one not in (0, two)), "")


def _doubts(url: str, found: Identity, file: Path, before: Identity | None) -> Iterator[str]:
    """What a person should look at; the same file in another folder, as in a container, is nothing."""
    named = PurePath(found.source).name
    if named.endswith(".gguf"):  # llama-server's file
        if named != file.name:
            yield f"{url} runs {found.source}, and `model.path` is {file}: its sizes are the same. {LEAVE}"
    elif before is not None and before.differs(found):
        now, then = found.beside(before), before.beside(found)
        yield f"{url} runs {now} now, in the place of {then}, and `model.path` is {file}. {LEAVE}"
