"""Notes of the adapters that were loaded into servers: what we put there, we can take out, and nothing else."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from shammah_convert.files import write_whole

FOLDER = "servers/loaded"
"""Not where copies lie that an erasure deletes: it has to know whom to ask."""


@dataclass(frozen=True, slots=True)
class Note:
    """Adapters that a server was given as one.

    Attributes:
        name: What the server calls it.
        files: sha256 of each adapter that is in it.
    """

    server: str
    name: str
    files: tuple[str, ...]


class Notes:
    """The notes of a home, a file each."""

    def __init__(self, home: Path) -> None:
        self._folder = home / FOLDER

    def keep(self, note: Note) -> None:
        """Write a note, before the server is given what it is about."""
        if not (path := self._path(note)).exists():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(path, json.dumps(asdict(note)))

    def drop(self, note: Note) -> None:
        """Forget what a server has no more."""
        self._path(note).unlink(missing_ok=True)

    def all(self) -> Iterator[Note]:
        """Every note, by name."""
        for path in sorted(self._folder.glob("*.json")):
            try:
                row = json.loads(path.read_text("utf-8"))
                yield Note(str(row["server"]), str(row["name"]), tuple(map(str, row["files"])))
            except (OSError, ValueError, LookupError, TypeError):  # dropped meanwhile, or no note
                continue

    def _path(self, note: Note) -> Path:
        return self._folder / f"{note.name}-{hashlib.sha256(note.server.encode()).hexdigest()[:8]}.json"
