"""Whether a home is sound: the database whole, every file under a final name whole, and no row of before lost."""

import contextlib
import json
import sqlite3
import tomllib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from shammah.adapters import hash_of

Rows = Mapping[str, frozenset[tuple[object, ...]]]

KEPT = ("questions", "answers", "ratings", "lessons", "adapters", "activations", "spending")
"""Tables whose rows no command but an erasure takes away, by what names a row."""
_NAMES = {"adapters": "sha256"}


def rows(home: Path) -> Rows:
    """What was acknowledged so far."""
    with contextlib.closing(sqlite3.connect(home / "shammah.db")) as db:
        return {table: frozenset(db.execute(f"SELECT {_NAMES.get(table, 'rowid')} FROM {table}")) for table in KEPT}


def check(home: Path) -> None:
    """Look everything through.

    Raises:
        AssertionError: Something is torn.
    """
    check_database(home)
    check_files(home)


def check_database(home: Path) -> None:
    """Look the database through, and the files that it names."""
    if not (home / "shammah.db").exists():
        return
    with contextlib.closing(sqlite3.connect(home / "shammah.db")) as db:
        faults = [row[0] for row in db.execute("PRAGMA integrity_check")]
        assert faults == ["ok"], faults
        assert not list(db.execute("PRAGMA foreign_key_check"))
        for path, sha256 in db.execute("SELECT path, sha256 FROM adapters"):
            assert hash_of(Path(path)) == sha256, f"{path} is not what was recorded"
        for (folder,) in db.execute("SELECT folder FROM checkpoints"):
            assert json.loads((Path(folder) / "checkpoint.json").read_text()), folder


def check_files(home: Path) -> None:
    """Read every file whose form tells whether it is whole; what is only ever appended to may end in half a line."""
    for file in home.rglob("*.npz"):
        with np.load(file, allow_pickle=False) as arrays:
            assert all(arrays[name] is not None for name in arrays.files), file
    for file in (*home.rglob("job.json"), *home.rglob("report.json"), *home.rglob("contract.json")):
        json.loads(file.read_text())
    for file in home.glob("config.toml"):
        tomllib.loads(file.read_text("utf-8"))
    for folder in ("adapters", "heads", "checkpoints"):
        left = [file for file in (home / folder).rglob("*") if file.suffix == ".gguf" and not _is_gguf(file)]
        assert not left, left


def _is_gguf(file: Path) -> bool:
    return file.read_bytes()[:4] == b"GGUF"
