"""Names that users, clients, files and caches give: none leads out of the folder that it is for."""

import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shammah import adapters, found, model_names, naming
from shammah.errors import ShammahError
from shammah.journal import Journal
from shammah.records.bases import Base
from shammah.serve.completing import adapter_files
from shammah.serve.wanted import adapter_model, way_of
from shammah_convert.lora import Card, write_lora
from tests.faults.attempts import refusal
from tests.faults.promise import Promise, Trials
from tests.lora_files import BASE, make_lora
from tests.tiny import write_tiny

SECRET = b"nobody is to touch this"
PIECES = (
    *("..", ".", "/", "\\", "~", "\0", "\n", "\x1b[2J", "%2e%2e%2f", "\u2215", "\uff0e\uff0e\uff0f", " ", ":", "-"),
    *(
        "--force",
        "none",
        "a",
        "con",
        "\udc80",
        "\u202e",
        "x" * 300,
        "$(touch x)",
        "`id`",
        "'",
        '"',
        "*",
        "hf:",
        "secret",
    ),
)
MOST_PIECES = 9


@dataclass(frozen=True)
class House:
    """A home deep in a folder with a secret that names could lead to, and a sound adapter for its base."""

    folder: Path
    home: Path
    journal: Journal
    base: Base
    source: Path

    @property
    def secret(self) -> Path:
        """What is not to be touched."""
        return self.folder / "secret"

    def others(self) -> dict[str, int]:
        """Every file that no name is for, by path and size."""
        own = (self.home / "adapters", self.home / "shammah.db")
        files = (path for path in self.folder.rglob("*") if not path.is_dir())
        return {
            os.fspath(path): path.lstat().st_size
            for path in files
            if not any(path == place or place in path.parents or path.name.startswith("shammah.db") for place in own)
        }


@contextmanager
def house(folder: Path) -> Iterator[House]:
    """One in a folder."""
    (folder / "secret").write_bytes(SECRET)
    home = folder / "a" / "b" / "home"
    path = write_tiny(folder / "base.gguf")
    base = Base(adapters.hash_of(path), os.fspath(path), path.stat().st_size, 0, 0, "tiny", "qwen2")
    write_lora(folder / "mine.gguf", make_lora(Card("mine", "tiny", base.sha256)), BASE)
    with Journal(home) as journal:
        yield House(folder, home, journal, base, folder / "mine.gguf")


def names(trials: Trials) -> str:
    """Give names to every door in turn."""
    seed, seen = random.Random(trials.seed), Counter[str]()
    with house(trials.folder) as place:
        before = place.others()
        for number in range(trials.count):
            door, name = list(DOORS)[number % len(DOORS)], hostile(seed, place)
            seen["refused" if refusal(lambda: DOORS[door](place, name), ShammahError) else "made harmless"] += 1  # noqa: B023
            assert place.others() == before, f"{door}: {name!r}"
            assert place.secret.read_bytes() == SECRET, f"{door}: {name!r}"
    return ", ".join(f"{count} {what}" for what, count in sorted(seen.items()))


def hostile(seed: random.Random, place: House) -> str:
    """A name that leads somewhere."""
    pieces = "".join(seed.choice(PIECES) for _ in range(seed.randint(1, MOST_PIECES)))
    up = "../" * seed.randint(1, 8)
    return seed.choice((pieces, up + pieces, f"{up}secret", os.fspath(place.secret), f"{place.secret}\0.gguf", "~/x"))


def _said_by_a_file(place: House, name: str) -> None:
    adapter = adapters.keep(place.home, place.source, Card(name, "tiny", place.base.sha256), place.base)
    adapters.record(place.journal, adapter)
    _forget(place, adapter.path)


def _said_by_a_base(place: House, name: str) -> None:
    card = Card("corrections-v1", name, place.base.sha256, size_label=name)
    _forget(place, adapters.keep(place.home, place.source, card, place.base, training=1).path)


def _forget(place: House, path: str) -> None:
    """Check that a file lies where it should, and forget it."""
    assert Path(path).resolve().parent == (place.home / "adapters").resolve(), path
    Path(path).unlink()
    if adapter := place.journal.adapters.at_path(path):
        assert place.journal.adapters.delete(adapter)


def _a_new_name(place: House, name: str) -> None:
    kept = adapters.keep(place.home, place.source, Card("mine", "tiny", place.base.sha256), place.base)
    adapter = adapters.record(place.journal, kept)
    try:
        naming.rename(place.journal, adapter, name)
    finally:
        _forget(place, adapter.path)


def _of_a_client(place: House, name: str) -> None:
    adapter_files(place.journal, place.base.sha256, way_of(adapter_model(name)).adapter)


def _of_a_model(place: House, name: str) -> None:
    environ = {"HF_HUB_CACHE": os.fspath(place.folder / "hub"), "OLLAMA_MODELS": os.fspath(place.folder / "ollama")}
    for prefix in ("hf:", *model_names.TOOLS):
        assert model_names.locate(f"{prefix}{name}", environ) is None, name


def _in_a_manifest(place: House, name: str) -> None:
    """What another tool's list of files says is taken for a name within that tool's folder, or for none."""
    manifest = place.home / "adapters" / "ollama" / "manifests" / "r" / "o" / "n" / "t"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    layer = {"mediaType": found.OLLAMA_MODEL, "digest": name}
    manifest.write_text(json.dumps({"layers": [layer]}))
    blobs = manifest.parents[4] / "blobs"
    environ = {"OLLAMA_MODELS": os.fspath(manifest.parents[4]), "HF_HUB_CACHE": os.fspath(place.folder / "hub")}
    for _, _, path in found.files(environ):
        assert "ollama" not in path.parts or path.resolve().parent == blobs.resolve(), path


DOORS: dict[str, Callable[[House, str], None]] = {
    "an adapter's own name": _said_by_a_file,
    "a base's name": _said_by_a_base,
    "another name": _a_new_name,
    "a client's model": _of_a_client,
    "a model's name": _of_a_model,
    "another tool's list": _in_a_manifest,
}

NAMES = (
    Promise(
        name="names",
        part="Files",
        claim="No name that a user, a client, a file or a cache gives leads out of the folder that it is for.",
        unit="hostile names",
        full=3_000,
        check=names,
    ),
)
