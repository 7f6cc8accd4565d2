"""Files that a command writes where the user says: never over what is there unasked, and one error where it fails."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from shammah.cli.screen import harmless, say, write
from shammah.errors import ShammahError, UsageError

Force = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]


@contextlib.contextmanager
def writing(file: Path, is_forced: bool) -> Iterator[Path]:
    """Where a file is to be written.

    Raises:
        UsageError: Something is there, and may not be overwritten.
        ShammahError: It cannot be written.
    """
    target = file.expanduser()
    if target.is_dir() or (target.exists() and not is_forced):
        hint = "Give the name of a file." if target.is_dir() else "Give another name, or --force."
        raise UsageError(f"{file} is there already", hint=hint)
    try:
        yield target
    except OSError as error:
        hint = "Check the rights and the free space."
        raise ShammahError(f"{file} cannot be written: {error.strerror}", hint=hint) from error


def save_page(page: str, file: Path, is_forced: bool, what: str) -> None:
    """Write a page into a file, or to stdout where it is called `-`.

    Raises:
        ShammahError: It cannot be written there.
    """
    text = harmless(page)
    if str(file) == "-":
        write(text)
        return
    with writing(file, is_forced) as target:
        target.write_text(text, "utf-8")
    say(f"The {what} is in {file}.")
