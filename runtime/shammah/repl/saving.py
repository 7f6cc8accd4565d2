"""A conversation as a file."""

import time
from pathlib import Path

from shammah.errors import UsageError
from shammah.repl.conversation import Spoken
from shammah_convert.chat import Message

NAME = "shammah-%Y-%m-%d-%H%M%S.md"
_HEADINGS = {"system": "Instructions", "user": "You", "assistant": "Shammah"}


def save(last: Spoken, file: Path | None) -> Path:
    """Write the conversation up to an answer into a file, as the journal keeps it: without its secrets.

    Args:
        last: The last answer.
        file: Nothing that exists is written over; None takes a dated name in the working folder.

    Raises:
        UsageError: It cannot be written.
    """
    file = file or Path(time.strftime(NAME))
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(as_markdown(last.context))
    except FileExistsError:
        raise UsageError(f"{file} is there already", hint="Give another name: /save NAME") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}", hint="Give another: /save FILE") from error
    return file


def as_markdown(context: tuple[Message, ...]) -> str:
    """A conversation with a heading for each turn."""
    return "\n\n".join(f"## {_HEADINGS[turn.role]}\n\n{turn.content.strip()}" for turn in context) + "\n"
