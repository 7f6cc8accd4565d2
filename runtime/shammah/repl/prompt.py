"""Where the person types: a prompt on a terminal, lines elsewhere."""

import shutil
import sys
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Protocol

from prompt_toolkit import PromptSession, prompt
from prompt_toolkit.application import get_app
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from shammah.cli import complete
from shammah.cli.screen import say
from shammah.cli.typed import clean
from shammah.repl import history
from shammah.repl.commands import COMMANDS

PROMPT, CONTINUED = "> ", "  "
FENCE = "```"
MENU_ROWS = 5
_TAKES_A_PATH = ("/adapters load ", "/model ", "/save ")


class Reader(Protocol):
    """Whoever says what was typed next."""

    def read(self) -> str | None:
        """A line, or several; None at the end."""
        ...

    def choose(self, message: str, words: Collection[str]) -> str:
        """One of the words, as it is asked for; empty where none comes."""
        ...


class Lines:
    """stdin that is no terminal: each line is a message."""

    def __init__(self) -> None:
        self._put_back = ""

    def read(self) -> str | None:
        """The next line that holds something; None at the end."""
        line, self._put_back = self._put_back, ""
        while not line:
            if (next_one := self._next()) is None:
                return None
            line = next_one
        return line

    def choose(self, message: str, words: Collection[str]) -> str:
        """The next line, where it is one of the words; another is read again as a message."""
        say(message)
        line = self._next() or ""
        if line in words:
            return line
        self._put_back = line
        return ""

    def _next(self) -> str | None:
        """The next line, blank or not; None at the end."""
        data = sys.stdin.buffer.readline()
        return clean(data.decode("utf-8", "replace")).strip() if data else None


class Prompt:
    """The prompt of a terminal, with the status below it."""

    def __init__(self, file: Path, status: Callable[[int], list[str]], shown: Callable[[], None]) -> None:
        """Make it ready; nothing is shown yet.

        Args:
            file: Of the history.
            status: Lines for so many columns.
            shown: Called once the prompt stands on the screen, each time.
        """
        self._file = file
        self._session: PromptSession[str] = PromptSession(
            [("bold", PROMPT)],
            multiline=True,
            prompt_continuation=CONTINUED,
            history=InMemoryHistory(history.read(file)),
            completer=Commands(),
            complete_while_typing=Condition(_is_command),
            reserve_space_for_menu=MENU_ROWS,
            key_bindings=_keys(),
            include_default_pygments_style=False,  # nothing here has its tokens
            bottom_toolbar=lambda: "\n".join(status(shutil.get_terminal_size().columns)),
        )
        self._session.app.after_render += lambda _: shown()

    def read(self) -> str | None:
        """What is typed next; None at Ctrl-D."""
        try:
            text = clean(self._session.prompt())
        except KeyboardInterrupt:
            say("(Ctrl-D or /quit ends the conversation.)")
            return ""
        except EOFError:
            return None
        if text.strip():
            history.keep(self._file, text)
        return text

    def choose(self, message: str, words: Collection[str]) -> str:
        """What is typed in answer, asked for until it is one of the words; empty at Enter, Ctrl-C and Ctrl-D."""
        try:
            while (word := clean(prompt(f"{message} ")).strip()) and word not in words:
                pass
        except (KeyboardInterrupt, EOFError):
            return ""
        return word

    def refresh(self) -> None:
        """Draw the status again; any thread may ask for it."""
        self._session.app.invalidate()


class Commands(Completer):
    """Completes commands, what may follow them, and paths."""

    def __init__(self) -> None:
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """What may come at the cursor."""
        text = document.text_before_cursor
        head = next((head for head in _TAKES_A_PATH if text.startswith(head)), None)
        if head is not None:
            path = text[len(head) :]
            if head == "/model ":
                yield from (Completion(name, -len(path)) for name in complete.model_names(path))
            yield from self._paths.get_completions(Document(path, len(path)), complete_event)
            return
        if text.startswith("/"):
            yield from (Completion(word, -len(begun), display_meta=meta) for word, begun, meta in candidates(text))


def candidates(text: str) -> Iterable[tuple[str, str, str]]:
    """Words that may come at the end of a begun command: (word, what of it is typed, what it does)."""
    name, blank, rest = text[1:].partition(" ")
    for command in COMMANDS:
        if not blank and command.name.startswith(name):
            yield f"/{command.name}", text, command.does
        elif blank and command.name == name and " " not in rest:
            yield from ((word, rest, "") for word in command.words if word.startswith(rest))


def _is_command() -> bool:
    return get_app().current_buffer.text.startswith("/")


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def send(event: KeyPressEvent) -> None:
        _send_or_go_on(event.current_buffer)

    @keys.add("escape", "enter")
    def begin_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys


def _send_or_go_on(buffer: Buffer) -> None:
    """Enter sends, but for a chosen completion, a backslash before it and code that is still open."""
    if buffer.complete_state is not None and buffer.complete_state.current_completion is not None:
        buffer.complete_state = None
    elif buffer.document.text_before_cursor.endswith("\\"):
        buffer.delete_before_cursor()
        buffer.insert_text("\n")
    elif is_open(buffer.text):
        buffer.insert_text("\n")
    else:
        buffer.validate_and_handle()


def is_open(text: str) -> bool:
    """Whether a code block was begun and not ended."""
    return sum(line.lstrip().startswith(FENCE) for line in text.split("\n")) % 2 == 1
