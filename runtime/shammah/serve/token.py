"""The bearer token of a home: made at the first start, for its user's eyes alone."""

import contextlib
import os
import secrets
from pathlib import Path

from shammah.errors import ServeError
from shammah.serve.place import TOKEN

TOKEN_BYTES = 32


def token_of(home: Path) -> str:
    """The token, made where there is none; its file is 0600, and made so again where it was not.

    Raises:
        ServeError: It cannot be read or written, or is empty.
    """
    file = home / TOKEN
    try:
        with contextlib.suppress(FileExistsError):
            _make(file)
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)
        token = file.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise ServeError(
            f"{file} cannot be used: {error}", hint="Mend its rights, or delete it for a new one."
        ) from error
    if not token:
        raise ServeError(f"{file} is empty", hint="Delete it: a new token is made at the next start.")
    return token


def _make(file: Path) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_urlsafe(TOKEN_BYTES) + "\n")
    except OSError:  # an empty one would be in the way once the disk has room again
        file.unlink()
        raise
