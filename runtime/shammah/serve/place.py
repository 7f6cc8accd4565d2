"""Where the daemon of a home is reached, and what it leaves there; light, as every `shammah ask` looks."""

import os
from collections.abc import Mapping
from pathlib import Path

from shammah.errors import ServeError

SOCKET, TOKEN, LOG = "serve.sock", "serve-token", "serve.log"
UNUSABLE = 3
"""With which a daemon's process ends whose model or settings cannot be used."""
# sun_path holds 104 bytes on macOS and 108 on Linux, the last of them a zero.
LONGEST_PATH_BYTES = 103
RUNTIME_VARIABLE = "XDG_RUNTIME_DIR"


def socket_of(home: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """The daemon's socket: in the home, or where that is too deep, in the folder that the system keeps for such.

    Raises:
        ServeError: Neither is short enough.
    """
    inside = home / SOCKET
    if _fits(inside):
        return inside
    import hashlib  # 6 ms that a home with a short name does without

    folder = environ.get(RUNTIME_VARIABLE, "")
    # One for each home: the same daemon is found from every terminal.
    outside = Path(folder) / f"shammah-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}.sock"
    if folder and outside.is_absolute() and _fits(outside):
        return outside
    raise ServeError(
        f"{inside} is too long for a socket's path ({len(os.fsencode(inside))} bytes, {LONGEST_PATH_BYTES} fit)",
        hint=f"Set SHAMMAH_HOME to a shorter folder, or {RUNTIME_VARIABLE} to a folder of yours.",
    )


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST_PATH_BYTES
