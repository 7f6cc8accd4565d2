"""Where the sentence embedder comes from: MiniLM's weights, and the GGUF that is made of them once."""

import contextlib
import fcntl
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from shammah import catalog, download
from shammah.errors import BadModel

if TYPE_CHECKING:
    from shammah.features import Vector
    from shammah.local import Embedder

FILE_NAME = "minilm-l6-v2.q8_0.gguf"


class Lazy:
    """An embedder that its first text opens, and the next one after it was closed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._opened: Embedder | None = None
        # The router asks for a question that domains are then asked about.
        self.embed = lru_cache(maxsize=4)(self._embed)

    def close(self) -> None:
        """Give its memory back, 40 MB."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _embed(self, text: str) -> "Vector":
        from shammah.local import Embedder

        self._opened = self._opened or Embedder(self._file)
        return self._opened.embed(text)


def ready(home: Path) -> Path | None:
    """The converted embedder, if this home has one."""
    file = _file(home)
    return file if file.is_file() else None


def prepare(home: Path, python: str = "") -> Path | None:
    """The home's embedder, made where its weights are on this machine; None where they are not.

    Args:
        home: Of Shammah.
        python: The interpreter of another virtual environment, in whose packages they may be, too.

    Raises:
        BadModel: What is there is not MiniLM.
    """
    if (file := ready(home)) is not None:
        return file
    source = find_source(python)
    return build(home, source) if source is not None else None


def find_source(python: str = "") -> tuple[Path, Path] | None:
    """Weights and vocabulary on this machine: in the hub's cache, or in a package, perhaps another interpreter's."""
    source = catalog.embedder()
    weights = download.cached(source.repository, source.weights, source.revision)
    vocabulary = download.cached(source.repository, source.vocabulary, source.revision)
    if weights and vocabulary:
        return weights, vocabulary
    return _in_package(source, sys.path) or (_in_package(source, _packages_of(python)) if python else None)


def fetch_source() -> tuple[Path, Path]:
    """Weights and vocabulary from the hub (91 MB where its cache lacks them).

    Raises:
        DownloadFailed: One of them cannot be had.
    """
    from shammah_convert.bert import VOCABULARY_SHA256

    source = catalog.embedder()
    vocabulary = download.fetch(source.repository, source.vocabulary, source.revision, VOCABULARY_SHA256)
    return download.fetch(source.repository, source.weights, source.revision, source.sha256), vocabulary


def build(home: Path, source: tuple[Path, Path]) -> Path:
    """Convert the weights into the home's cache; of several processes one does the work and the others wait.

    Args:
        home: Of Shammah.
        source: Weights and vocabulary.

    Raises:
        BadModel: The weights or the vocabulary are not MiniLM's.
    """
    from shammah_convert import bert

    file = _file(home)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.parent.mkdir(exist_ok=True)
    with _alone(file.with_name(f"{FILE_NAME}.lock")):
        if file.is_file():
            return file
        _sweep(file, bert.TEMPORARY_SUFFIX)
        try:
            bert.convert(*source, file, catalog.embedder().sha256)
        except bert.WrongWeights as error:
            hint = "Delete that file, or install the package that it belongs to again."
            raise BadModel(f"the embedder cannot be made: {error}", hint) from error
    return file


def _file(home: Path) -> Path:
    return home / "cache" / FILE_NAME


def _packages_of(python: str) -> list[str]:
    """Where the packages of a virtual environment are, by its interpreter."""
    return [str(folder) for folder in Path(python).expanduser().parent.parent.glob("lib/python*/site-packages")]


def _in_package(source: catalog.EmbedderSource, folders: list[str]) -> tuple[Path, Path] | None:
    """Both files of the installed package, found in its list of files: importing it would load torch."""
    # 20 ms of imports that `ready` does without.
    from importlib import metadata

    found = next(iter(metadata.distributions(name=source.package, path=folders)), None)
    files = (found and found.files) or []
    paths = {file.name: Path(str(file.locate())) for file in files}
    weights, vocabulary = paths.get(source.weights), paths.get(source.vocabulary)
    if weights and vocabulary and weights.is_file() and vocabulary.is_file():
        return weights, vocabulary
    return None


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold a lock that the system gives back when its holder dies."""
    with lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _sweep(file: Path, suffix: str) -> None:
    """Remove what killed conversions left; whoever holds the lock is alone."""
    for leftover in file.parent.glob(f"{FILE_NAME}.*{suffix}"):
        leftover.unlink(missing_ok=True)
