"""Small files from the model hub, kept in the hub's own cache, and the hub's errors as ours."""

import contextlib
import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path

from shammah.errors import DiskTooSmall, DownloadFailed, HubRefuses, HubUnreachable, NotOnHub, ShammahError
from shammah_convert.files import is_full


def fetch(repository: str, file: str, revision: str, sha256: str | None, quiet: bool = True) -> Path:
    """Have a file of the hub on this machine; only what the cache lacks goes over the network.

    Args:
        repository: Such as "Qwen/Qwen3-4B-GGUF".
        file: Its path in the repository.
        revision: A commit, or a branch or tag.
        sha256: Of the content, in hex; None takes what comes.
        quiet: Write neither progress bars nor the hub's own warnings to stderr.

    Raises:
        DownloadFailed: The hub cannot be reached or has no such file, HF_HUB_OFFLINE is set and the cache
            lacks the file, or its hash is another. A file with a wrong hash leaves the cache.
    """
    with our_errors(f"{file} of {repository}"), quietly() if quiet else contextlib.nullcontext():
        path = _download(repository, file, revision)
    if sha256 is not None:
        _check(path, sha256)
    return path


def cached(repository: str, file: str, revision: str) -> Path | None:
    """Where the hub's cache holds a file, without asking the network; its content is not checked."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, file, revision=revision)
    # The third possible answer is a mark for "the hub has no such file".
    return Path(found) if isinstance(found, str) else None


def _download(repository: str, file: str, revision: str) -> Path:
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url

    # The environment is the user's own, and is read at import: set the constant, so that no request tells
    # the versions of the libraries that are installed here. A public file needs nobody's token either.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    if cached(repository, file, revision) is None:
        # Without a network, hf_hub_download repeats its first request for 23 seconds; this one does not.
        get_hf_file_metadata(hf_hub_url(repository, file, revision=revision), token=False)
    return Path(hf_hub_download(repository, file, revision=revision, token=False))


def _check(path: Path, sha256: str) -> None:
    with path.open("rb") as stream:
        actual = hashlib.file_digest(stream, "sha256").hexdigest()
    if actual != sha256:
        _remove(path)
        raise DownloadFailed(
            f"{path.name} has sha256 {actual}, not {sha256}, and was removed",
            hint="Run the command again. If it stays so, the hub holds another file than the one known here.",
        )


def _remove(pointer: Path) -> None:
    """Take a file out of the cache: a snapshot's entry is a link to a blob, or the file itself."""
    blob = pointer.parent / pointer.readlink() if pointer.is_symlink() else None
    pointer.unlink(missing_ok=True)
    if blob is not None:
        blob.unlink(missing_ok=True)


@contextlib.contextmanager
def our_errors(what: str) -> Iterator[None]:
    """Whatever goes wrong with something of the hub becomes an error of ours."""
    try:
        yield
    except ShammahError:
        raise
    except Exception as error:
        raise _ours(f"{what} cannot be downloaded", error) from error


def _ours(what: str, error: Exception) -> ShammahError:
    """What a foreign error means.

    The transport differs between releases of the hub (requests, httpx, httpx2, a Rust extension), and so do its errors;
    every one that is not known here means that the hub was not reached.
    """
    from http import HTTPStatus

    from huggingface_hub import errors

    said = f"{what}: {first_line(error)}"
    response = error.response if isinstance(error, errors.HfHubHTTPError) else None
    status = None if response is None else response.status_code
    if isinstance(error, errors.OfflineModeIsEnabled):
        hint = "Unset HF_HUB_OFFLINE to allow the download."
        return DownloadFailed(f"{what}: HF_HUB_OFFLINE is set", hint)
    if isinstance(error, errors.GatedRepoError):  # it is a RepositoryNotFoundError too
        return HubRefuses(f"{what}: its owner gives it to those only who agreed to the terms")
    if isinstance(error, errors.LocalEntryNotFoundError):  # and an EntryNotFoundError, where the hub did not answer
        return HubUnreachable(said)
    missing = (errors.EntryNotFoundError, errors.RepositoryNotFoundError, errors.HFValidationError)
    if isinstance(error, missing) or status == HTTPStatus.NOT_FOUND:
        hint = "Check the names of repository, revision and file, and HF_ENDPOINT where it is set."
        return NotOnHub(said, hint)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return HubRefuses(said)
    if is_full(error):
        return DiskTooSmall(f"{what}: the disk is full", hint="Free some space; what came so far is kept.")
    return HubUnreachable(said)


def first_line(error: Exception) -> str:
    """What an error says first."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Silence the hub's bars and warnings, and restore what was set."""
    from huggingface_hub import constants
    from huggingface_hub.utils import logging as hub_logging
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    # With HF_HUB_DISABLE_PROGRESS_BARS the user has decided, and the hub warns about any call.
    had_bars = constants.HF_HUB_DISABLE_PROGRESS_BARS is None and not are_progress_bars_disabled()
    verbosity = hub_logging.get_verbosity()
    hub_logging.set_verbosity(logging.ERROR)
    if had_bars:
        disable_progress_bars()
    try:
        yield
    finally:
        hub_logging.set_verbosity(verbosity)
        if had_bars:
            enable_progress_bars()
