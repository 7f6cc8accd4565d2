"""What people type and pipe, as text that every part can store."""

import os
import re
import stat
import sys

from shammah.errors import UsageError

MOST = 2**31 - 1
"""The largest number that counts or names something: the database holds it, and so does the engine."""
MOST_INPUT_BYTES = 16 * 2**20
_HALVES = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def read_stdin() -> str:
    """What is piped or redirected into us; nothing from a terminal or a closed stdin."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return ""
    if os.isatty(0) or not (stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)):
        return ""
    data = sys.stdin.buffer.read(MOST_INPUT_BYTES + 1)
    if len(data) > MOST_INPUT_BYTES:
        raise UsageError(f"stdin holds more than {MOST_INPUT_BYTES // 2**20} MiB", hint="Pipe a part of it.")
    return clean(data.decode("utf-8", "replace"))


def edited(before: str) -> str:
    """The text as it comes back from the editor; as it was where nothing was saved.

    Raises:
        UsageError: The editor cannot be run.
    """
    import click

    try:
        after = click.edit(before + "\n")
    except click.ClickException as error:
        raise UsageError(f"the editor failed: {error.message}", hint="Set EDITOR, or use --answer TEXT.") from error
    return before if after is None else clean(after)


def clean(text: str) -> str:
    """Text that every part can store: no half surrogates from a broken locale, no NUL."""
    text = _HALVES.sub("\ufffd", text)  # of a pair: no byte of a broken locale becomes one
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "\ufffd")
