"""Small files that are written anew as a whole, by whichever process is next."""

import contextlib
import os
import threading
from pathlib import Path


def write_atomically(file: Path, data: bytes) -> None:
    """Replace a file so that a reader, or a crash, sees the old content or the new."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except BaseException:
        with contextlib.suppress(OSError):  # half a file would keep a full disk full
            temporary.unlink(missing_ok=True)
        raise
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
