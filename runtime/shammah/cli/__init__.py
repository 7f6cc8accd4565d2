"""The command line: `shammah`. It alone prints, and picks exit codes."""

import contextlib
import io
import os
import sys
from collections.abc import Sequence

from shammah import crash
from shammah.cli import commands, streams
from shammah.cli.screen import say
from shammah.errors import (
    BadModel,
    BudgetReached,
    ConfigError,
    DiskFull,
    Interrupted,
    KeyMissing,
    LicenceNotAgreed,
    McpMissing,
    ModelMissing,
    ModelTooLarge,
    NothingVerified,
    OnnxMissing,
    ServeMissing,
    ShammahError,
    TrainerMissing,
    UsageError,
)
from shammah_convert.collector import resting
from shammah_convert.files import is_full

INTERRUPTED = 130
_EXIT_CODES: dict[type[ShammahError], int] = {
    UsageError: 2,
    ConfigError: 3,
    ModelMissing: 3,
    ModelTooLarge: 3,
    LicenceNotAgreed: 3,
    BadModel: 3,
    KeyMissing: 3,
    TrainerMissing: 3,
    OnnxMissing: 3,
    ServeMissing: 3,
    McpMissing: 3,
    NothingVerified: 4,
    BudgetReached: 5,
    Interrupted: INTERRUPTED,
}


def main() -> None:
    """Run a command; every error ends in one sentence, a hint and its exit code."""
    try:
        os.umask(0o077)  # questions and answers are nobody else's
        streams.open_closed()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a locale without a letter is no reason to lose an answer
        _run(commands.in_full(sys.argv[1:], os.environ))
    except ShammahError as error:
        sys.exit(_report(error))
    except OSError as error:
        is_known = error.filename is not None or is_full(error)
        sys.exit(_report(_of_disk(error)) if is_known else _report_unforeseen(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:  # whatever it quotes is not for a report
        sys.exit(_report_unforeseen(error))


def _run(arguments: Sequence[str]) -> None:
    with resting():
        app = commands.app_of(commands.wanted(arguments, os.environ))
    # Also for `python -m shammah`: the variable of the completion is named after the program.
    app(list(arguments), prog_name="shammah")


def _of_disk(error: OSError) -> ShammahError:
    """What a disk's refusal means; a file that was written to has no name any more."""
    if is_full(error):
        with contextlib.suppress(OSError, ValueError):  # Python would try again to write what is left, at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DiskFull(f"{error.filename or 'what is to be written'} has no room: {error.strerror}")
    hint = "Check its rights and the free space; `shammah doctor` looks for what is wrong."
    return ShammahError(f"{error.filename} cannot be used: {error.strerror}", hint=hint)


def _report(error: ShammahError) -> int:
    if not isinstance(error, Interrupted):
        say(f"shammah: {error}")
        if error.hint:
            say(f"  {error.hint}")
    return next((code for kind, code in _EXIT_CODES.items() if isinstance(error, kind)), 1)


def _report_unforeseen(error: Exception) -> int:
    say(f"shammah: an error that nobody foresaw ({type(error).__name__})")
    say("  What stands below says where; its own words are left out, as they may quote what you asked.")
    say(crash.told(error))
    return 1
