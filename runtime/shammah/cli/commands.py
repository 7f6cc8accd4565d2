"""The commands by name: of all of them `--help` tells, and only the one that was typed is opened."""

import logging
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Annotated

import typer

from shammah import __version__, crash

# Each in a file of its name, in the order of the help: a function of that name, or an `app` of several.
SINGLE = ("ask", "chat", "doctor", "explain", "feedback", "mcp", "stats", "teach", "train")
GROUPS = ("adapters", "checkpoint", "config", "examples", "heads", "log", "models", "serve")
NAMES = (*SINGLE, *GROUPS)

ALONE = ("log", "serve")
"""Groups that do something by themselves; the others show their help."""

COMPLETING = "_SHAMMAH_COMPLETE"
"""The variable by which a shell asks for words."""


def wanted(arguments: Sequence[str], environ: Mapping[str, str]) -> Sequence[str]:
    """The commands that a line needs: the one that it begins with, and all where it begins with none."""
    is_one = bool(arguments) and arguments[0] in NAMES and COMPLETING not in environ
    return arguments[:1] if is_one else NAMES


def in_full(arguments: Sequence[str], environ: Mapping[str, str]) -> Sequence[str]:
    """The line as it is meant: where it names nothing that is to be done, it asks for help."""
    asks_for_nothing = not arguments or (len(arguments) == 1 and arguments[0] in GROUPS and arguments[0] not in ALONE)
    return (*arguments, "--help") if asks_for_nothing and COMPLETING not in environ else arguments


def app_of(names: Sequence[str] = NAMES) -> typer.Typer:
    """The command line with these commands."""
    app = typer.Typer(
        name="shammah",
        help="A local-first assistant: a small model on this machine answers, and a teacher (Claude, unless you set"
        " another) when it must.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        callback=_options,
    )
    for name in names:
        _add(app, name)
    return app


def _add(app: typer.Typer, name: str) -> None:
    module = import_module(f"shammah.cli.{name}")
    if name in GROUPS:
        app.add_typer(module.app, name=name)
    else:
        app.command(name, context_settings=getattr(module, "CONTEXT", None))(getattr(module, name))


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"shammah {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    logging.basicConfig(format="shammah: %(message)s", level=logging.WARNING)
    crash.settle()
