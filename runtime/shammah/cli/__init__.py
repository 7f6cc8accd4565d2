"""The command line: `shammah`. It alone prints, and picks exit codes."""

import contextlib
import io
import logging
import os
import sys
from typing import Annotated

import typer

from shammah import __version__
from shammah.cli import adapters as adapters_command
from shammah.cli import ask as ask_command
from shammah.cli import chat as chat_command
from shammah.cli import checkpoint as checkpoint_command
from shammah.cli import config as config_command
from shammah.cli import doctor as doctor_command
from shammah.cli import examples as examples_command
from shammah.cli import explain as explain_command
from shammah.cli import feedback as feedback_command
from shammah.cli import heads as heads_command
from shammah.cli import log as log_command
from shammah.cli import mcp as mcp_command
from shammah.cli import models as models_command
from shammah.cli import serve as serve_command
from shammah.cli import stats as stats_command
from shammah.cli import teach as teach_command
from shammah.cli import train as train_command
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

app = typer.Typer(
    name="shammah",
    help="A local-first assistant: a small model on this machine answers, and Claude when it must.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("ask")(ask_command.ask)
app.command("chat")(chat_command.chat)
app.command("doctor")(doctor_command.doctor)
app.command("explain")(explain_command.explain)
app.command("feedback")(feedback_command.feedback)
app.command("mcp")(mcp_command.mcp)
app.command("stats")(stats_command.stats)
app.command("teach")(teach_command.teach)
app.command("train")(train_command.train)
app.add_typer(adapters_command.app, name="adapters")
app.add_typer(checkpoint_command.app, name="checkpoint")
app.add_typer(config_command.app, name="config")
app.add_typer(examples_command.app, name="examples")
app.add_typer(heads_command.app, name="heads")
app.add_typer(log_command.app, name="log")
app.add_typer(models_command.app, name="models")
app.add_typer(serve_command.app, name="serve")


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"shammah {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    logging.basicConfig(format="shammah: %(message)s", level=logging.WARNING)


def main() -> None:
    """Run a command; every error ends in one sentence, a hint and its exit code."""
    os.umask(0o077)  # questions and answers are nobody else's
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a locale without a letter is no reason to lose an answer
    try:
        app(prog_name="shammah")  # also for `python -m shammah`: the completion's variable is named after it
    except ShammahError as error:
        sys.exit(_report(error))
    except OSError as error:
        sys.exit(_report(_of_disk(error)))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _of_disk(error: OSError) -> ShammahError:
    """What a disk's refusal means; a file that was written to has no name any more."""
    if is_full(error):
        with contextlib.suppress(OSError, ValueError):  # Python would try again to write what is left, at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DiskFull(f"{error.filename or 'what is to be written'} has no room: {error.strerror}")
    if error.filename is None:
        raise error
    hint = "Check its rights and the free space; `shammah doctor` looks for what is wrong."
    return ShammahError(f"{error.filename} cannot be used: {error.strerror}", hint=hint)


def _report(error: ShammahError) -> int:
    if not isinstance(error, Interrupted):
        say(f"shammah: {error}")
        if error.hint:
            say(f"  {error.hint}")
    return next((code for kind, code in _EXIT_CODES.items() if isinstance(error, kind)), 1)
