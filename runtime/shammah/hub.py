"""Models of the model hub: what a repository holds, and its files, fetched into the hub's own cache.

A file goes on where it stopped, in whatever process: huggingface_hub keeps no part of a file since its release 2, and
compares sizes alone, so the part and the checksum are kept here.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from shammah.download import cached, our_errors, quietly
from shammah.errors import DownloadFailed, HubUnreachable
from shammah_convert.files import leads_inside

PARTIAL_SUFFIX = ".shammah.incomplete"
# A cut loses what came of one piece, and a bar moves once a piece: the hub's own 10 MiB are ten seconds on a slow line.
PIECE_BYTES = 2**20
_SHA256 = re.compile(r"[0-9a-f]{64}")
"""A file of the cache is called so; whatever else a hub may tell is no name for one."""

Hear = Callable[[int], None]
"""Hears how many bytes of a file are on the disk."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a repository, at a commit.

    Attributes:
        sha256: Of its content; None where the hub tells none.
    """

    repository: str
    commit: str
    path: str
    size_bytes: int
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Repository:
    """What the hub tells of a repository.

    Attributes:
        licence: As its card names it; empty where it does not.
        licence_url: Where that stands.
        architecture: Of its GGUFs; empty where the hub does not say.
        files: Its GGUFs.
    """

    name: str
    licence: str
    licence_url: str
    architecture: str
    files: tuple[RemoteFile, ...]


def look_up(repository: str) -> Repository:
    """Ask the hub what a repository holds.

    Raises:
        DownloadFailed: It cannot be reached, has no such repository, or does not give it.
    """
    from huggingface_hub import HfApi

    _say_little()
    with our_errors(repository), quietly():
        info = _known_if_needed(lambda token: HfApi().model_info(repository, files_metadata=True, token=token))
    card = info.card_data
    licence, url = str((card and card.license) or "").lower(), str((card and card.license_link) or "")
    if licence == "other":  # then it has a name of its own
        licence = str((card and card.license_name) or licence).lower()
    return Repository(
        name=repository,
        licence=licence,
        licence_url=url if url.startswith("https://") else f"https://huggingface.co/{repository}",
        architecture=str((info.gguf or {}).get("architecture") or ""),
        files=tuple(
            RemoteFile(repository, str(info.sha), one.rfilename, one.size or 0, _hash_of(one.lfs))
            for one in info.siblings or ()
            if one.rfilename.endswith(".gguf") and leads_inside(one.rfilename)
        ),
    )


def fetch(files: tuple[RemoteFile, ...], hear: Hear = lambda _: None) -> Path:
    """Have all files of a model in the hub's cache; the path of the first.

    Args:
        files: The parts, in order.
        hear: Hears how many bytes of all of them are there.

    Raises:
        DownloadFailed: One cannot be had; what came of it is kept, and the next call goes on there.
        DiskTooSmall: The disk is full.
    """
    _say_little()
    done = 0
    for file in files:
        before = done

        def heard(count: int, before: int = before) -> None:
            hear(before + count)

        with our_errors(f"{file.path} of {file.repository}"), quietly():
            _have_blob(file, heard)
        done += file.size_bytes
        hear(done)
    # Together at the end: parts stand in one folder, whatever is committed to the repository meanwhile.
    with our_errors(files[0].repository), quietly():
        first, *_ = [_link(file) for file in files]
        return first


def cache_folder() -> Path:
    """Where the hub keeps its files here."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def missing_bytes(files: tuple[RemoteFile, ...]) -> int:
    """How much is still to come."""
    return sum(max(0, file.size_bytes - _here_bytes(file)) for file in files)


def forget(path: Path) -> int:
    """Take a file out of the hub's cache, blob and name; so many bytes became free."""
    blob = path.resolve()
    size = blob.stat().st_size
    path.unlink(missing_ok=True)
    others = [name for name in blob.parent.parent.glob("snapshots/*/**/*") if name.resolve() == blob]
    if others:
        return 0
    blob.unlink(missing_ok=True)
    folder = path.parents[2]  # models--OWNER--NAME/snapshots/COMMIT/FILE
    if folder.name.startswith("models--") and not any((folder / "blobs").glob("*")):
        shutil.rmtree(folder, ignore_errors=True)
    return size


def forget_parts(repository: str) -> int:
    """Remove what came of files that are not whole; so many bytes became free."""
    freed = 0
    for partial in _blobs(repository).glob(f"*{PARTIAL_SUFFIX}"):
        freed += partial.stat().st_size
        partial.unlink(missing_ok=True)
    return freed


def _hash_of(lfs: Any) -> str | None:
    """The hash that a hub tells of a large file; None where it tells none."""
    return str(lfs.sha256) if lfs and _SHA256.fullmatch(str(lfs.sha256)) else None


def _here_bytes(file: RemoteFile) -> int:
    if cached(file.repository, file.path, file.commit) is not None:
        return file.size_bytes
    if file.sha256 is None:
        return 0
    blob = _blobs(file.repository) / file.sha256
    return next((path.stat().st_size for path in (blob, _partial(blob)) if path.is_file()), 0)


def _have_blob(file: RemoteFile, hear: Hear) -> None:
    """Have a file's content in the cache, whole and checked."""
    if file.sha256 is None:
        return  # no large file: the hub fetches it with its name
    blob = _blobs(file.repository) / file.sha256
    blob.parent.mkdir(parents=True, exist_ok=True)
    if blob.is_file():
        if _sha256(blob) == file.sha256:
            return
        blob.unlink()  # it went bad on the disk
    for is_last in (False, True):  # a part that was damaged is begun anew, once
        with _held(_partial(blob), file) as stream:
            was_begun = stream.tell() > 0
            _transfer(file, stream, hear)
            if _sha256(_partial(blob)) == file.sha256:
                _partial(blob).replace(blob)
                return
            _partial(blob).unlink()
        if is_last or not was_begun:
            raise DownloadFailed(
                f"{file.path} of {file.repository} came with another sha256 than the hub tells, and was removed",
                hint="Run the command again. If it stays so, something on the way changes it.",
            )


def _transfer(file: RemoteFile, stream: BinaryIO, hear: Hear) -> None:
    """Read what is missing of a file from the hub."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    start = stream.tell()
    if start > file.size_bytes:
        stream.seek(0)
        stream.truncate()
        start = 0
    url = hf_hub_url(file.repository, file.path, revision=file.commit)
    counted = cast(BinaryIO, _Counted(stream, hear))

    def get(token: bool) -> None:
        headers = build_hf_headers(token=token)
        http_get(url, counted, resume_size=stream.tell(), headers=headers, expected_size=file.size_bytes)

    try:
        _known_if_needed(get)
    finally:
        stream.flush()
        os.fsync(stream.fileno())


def _link(file: RemoteFile) -> Path:
    """Give a checked blob its name in the cache, as the hub does it."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    def link(token: bool) -> str:
        # By the branch where it still holds this very file: what no branch names, `hf cache prune` removes.
        newest = get_hf_file_metadata(hf_hub_url(file.repository, file.path, revision="main"), token=token)
        is_newest = newest.commit_hash == file.commit
        revision = "main" if is_newest else file.commit
        return str(hf_hub_download(file.repository, file.path, revision=revision, token=token))

    return Path(_known_if_needed(link))


class _Counted:
    """A file that tells how far it is written."""

    def __init__(self, stream: BinaryIO, hear: Hear) -> None:
        self._stream = stream
        self._hear = hear
        self.seek, self.tell, self.truncate = stream.seek, stream.tell, stream.truncate

    def write(self, data: bytes) -> int:
        count = self._stream.write(data)
        self._hear(self._stream.tell())
        return count


@contextlib.contextmanager
def _held(partial: Path, file: RemoteFile) -> Iterator[BinaryIO]:
    """The part of a file, at its end, for one process alone."""
    with partial.open("ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.close()
            raise HubUnreachable(
                f"{file.path} of {file.repository} is being downloaded by another process",
                hint="`shammah models list` shows how far it is.",
            ) from None
        stream.seek(0, os.SEEK_END)
        yield stream


def _known_if_needed(call: Callable[[bool], T]) -> T:
    """Ask as nobody; where that is refused, as whoever is logged in here."""
    from huggingface_hub import get_token
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return call(False)
    except HfHubHTTPError as error:
        if error.response is None or error.response.status_code not in (401, 403) or get_token() is None:
            raise
    return call(True)


def _say_little() -> None:
    """Let no request tell which libraries are installed here, and come in small pieces."""
    from huggingface_hub import constants

    constants.HF_HUB_DISABLE_TELEMETRY = True
    constants.DOWNLOAD_CHUNK_SIZE = PIECE_BYTES


def _blobs(repository: str) -> Path:
    return cache_folder() / f"models--{repository.replace('/', '--')}" / "blobs"


def _partial(blob: Path) -> Path:
    return blob.with_name(blob.name + PARTIAL_SUFFIX)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
