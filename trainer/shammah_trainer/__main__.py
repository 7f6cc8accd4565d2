"""`python -m shammah_trainer JOB`: trains what a job folder asks for, and ends when its parent does."""

import argparse
import contextlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from shammah_convert.files import is_full
from shammah_convert.job import CANCELLED, DISK_FULL
from shammah_trainer import guard
from shammah_trainer.importing import lean

if TYPE_CHECKING:
    from shammah_trainer.alarm import Alarm, ExitFile, Word
    from shammah_trainer.progress import Progress

DONE, FAILED = 0, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Do the job of a folder; the last line of its progress tells how it went."""
    parser = argparse.ArgumentParser(prog="python -m shammah_trainer", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="holds job.json and the examples")
    parser.add_argument("--guarded", action="store_true", help="stdin is a pipe from the parent; end when it closes")
    parser.add_argument("--launched", action="store_true", help="the parent is a launcher: end with it, leave the code")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    if options.guarded and (not options.launched or guard.is_pipe(0)):  # MPI gives its pipe to the first process alone
        guard.end_with_pipe()
    if options.launched:
        guard.end_with_launcher(os.getppid())
    return _run(options.folder, options.launched)


def _run(folder: Path, is_launched: bool) -> int:
    # The rooms below take seconds to import; the parent is watched before that.
    with lean():
        from shammah_trainer.alarm import Alarm, ExitFile
        from shammah_trainer.progress import Progress
        from shammah_trainer.session import train
        from shammah_trainer.spread import Spread

    spread = Spread.of_environment()
    progress = Progress(folder, spread)
    exit_file = ExitFile(folder) if is_launched and spread.is_first else None
    alarm = Alarm(spread.rank, lambda word: _say(word, progress, exit_file))
    try:
        alarm.connect(spread.join())
        train(folder, progress, spread=spread)
        if exit_file is not None:
            exit_file.write(DONE)
        spread.leave()
    except Exception as error:  # the parent reads of it, whatever it is
        return _fail(error, alarm)
    finally:
        with contextlib.suppress(OSError):
            progress.close()
    return DONE


def _fail(error: Exception, alarm: "Alarm") -> int:
    """End all processes of the training for an error of this one; the exit code."""
    from shammah_trainer.alarm import Word, is_lost
    from shammah_trainer.fit import Cancelled

    if isinstance(error, Cancelled):
        return alarm.ring(Word("cancelled", str(error), CANCELLED))
    logging.getLogger(__name__).error("the training failed", exc_info=error)
    if is_lost(error):  # whoever is gone said why, or was killed as we might have been
        alarm.wait()
        return FAILED
    return alarm.ring(Word("failed", str(error) or repr(error), DISK_FULL if is_full(error) else FAILED))


def _say(word: "Word", progress: "Progress", exit_file: "ExitFile | None") -> None:
    with contextlib.suppress(OSError):  # of a full disk, the exit code tells
        progress.say(word.event, error=word.text)
    if exit_file is not None:
        exit_file.write(word.code)


def _leave(code: int) -> NoReturn:
    """End this process at once: a group of two was seen to spin once as the interpreter ended."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _leave(main())
