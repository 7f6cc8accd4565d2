"""`python -m shammah_trainer JOB`: trains what a job folder asks for, and ends when its parent does."""

import argparse
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from shammah_convert.files import is_full
from shammah_convert.job import CANCELLED, DISK_FULL
from shammah_trainer.collector import resting

DONE, FAILED = 0, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Do the job of a folder; the last line of its progress tells how it went."""
    parser = argparse.ArgumentParser(prog="python -m shammah_trainer", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="holds job.json and the examples")
    parser.add_argument("--guarded", action="store_true", help="stdin is a pipe from the parent; end when it closes")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    if options.guarded:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    return _run(options.folder)


def _run(folder: Path) -> int:
    # The rooms below take seconds to import; the parent is watched before that.
    with resting():
        from shammah_trainer.fit import Cancelled
        from shammah_trainer.progress import Progress
        from shammah_trainer.session import train

    progress = Progress(folder)
    try:
        train(folder, progress)
    except Cancelled as error:
        progress.say("cancelled", error=str(error))
        return CANCELLED
    except Exception as error:  # the parent reads of it, whatever it is
        logging.getLogger(__name__).exception("the training failed")
        with contextlib.suppress(OSError):  # of a full disk, the exit code tells
            progress.say("failed", error=str(error) or repr(error))
        return DISK_FULL if is_full(error) else FAILED
    finally:
        with contextlib.suppress(OSError):
            progress.close()
    return DONE


def _end_with_parent() -> None:
    """Wait until nobody holds the other end of stdin, which also a killed parent does not."""
    while os.read(0, 1024):
        pass
    os._exit(FAILED)


if __name__ == "__main__":
    sys.exit(main())
