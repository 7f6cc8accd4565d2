"""The path of a conversation: the prompt, a line, what is done about it, and again.

Until the prompt stands on the screen, nothing but it is loaded: what answers is opened behind it.
"""

import sys
from typing import TYPE_CHECKING

from shammah.cli.screen import say
from shammah.errors import ContextTooLong, Interrupted, ShammahError
from shammah.repl import commands, history, status
from shammah.repl.commands import Call
from shammah.repl.loading import Loading
from shammah.repl.lookout import Lookout
from shammah.repl.prompt import Lines, Prompt, Reader
from shammah.repl.status import Facts
from shammah.settings import Settings

if TYPE_CHECKING:
    from shammah.repl.desk import Desk


class Chat:
    """A conversation, from its first line to its last."""

    def __init__(self, settings: Settings, session: str) -> None:
        self._settings = settings
        self._session = session
        self._prompt: Prompt | None = None
        self._desk: Desk | None = None
        self._first = self._load(settings)
        self._lookout = Lookout(settings, lambda: self._loading, self._refresh)
        self._reader = self._open_reader()

    def run(self) -> bool:
        """Read and answer until the person ends it; whether all could be done, which a person at a prompt has seen."""
        all_done = True
        try:
            while (line := self._reader.read()) is not None:
                if line.strip() and not self._do(line):
                    all_done = False
                if self._is_quit(line):
                    break
        finally:
            self._close()
        return all_done or self._prompt is not None

    def _do(self, line: str) -> bool:
        """Answer a line; whether that could be done."""
        try:
            typed = commands.read(line)
            if not self._is_quit(line):
                self._answer(typed)
        except Interrupted:
            say("(stopped)")
        except KeyboardInterrupt:
            say("(stopped; nothing is kept)")
        except ShammahError as error:
            _tell(error)
            return False
        return True

    def _answer(self, typed: Call | str) -> None:
        from shammah.repl import doing  # what is heavy; by now it has been opened in the background
        from shammah.repl.conversation import following

        desk = self._desk = self._desk or self._open_desk()
        if isinstance(typed, Call):
            doing.do(desk, typed)
        else:
            desk.ask(following(typed, desk.last, desk.settings, desk.session))
        self._lookout.hurry()

    def _open_desk(self) -> "Desk":
        from shammah.repl.desk import Desk

        return Desk(self._settings, self._session, self._first, self._load, self._reader.choose)

    def _open_reader(self) -> Reader:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            self._first.start()
            return Lines()
        self._prompt = Prompt(history.file_of(self._settings.home), self._status, self._start)
        return self._prompt

    def _start(self) -> None:
        """Begin what is done behind the prompt."""
        self._loading.start()
        self._lookout.start()

    @property
    def _loading(self) -> Loading:
        return self._desk.loading if self._desk else self._first

    def _load(self, settings: Settings) -> Loading:
        return Loading(settings, self._refresh)

    def _refresh(self) -> None:
        if self._prompt is not None:
            self._prompt.refresh()

    def _status(self, columns: int) -> list[str]:
        loading, sight = self._loading, self._lookout.sight
        name = loading.base.name if loading.base else "the model"
        notes = {"ready": "", "waiting": "", "failed": " cannot be opened"}
        model = name + notes.get(loading.state, f" is being {'checked' if loading.state == 'checking' else 'loaded'}")
        return status.lines(Facts(model, sight.adapters, self._route(), sight.waiting, sight.training), columns)

    def _route(self) -> str:
        """Where the last answer came from."""
        if self._desk is not None and self._desk.last is not None:
            from shammah.teacher import called  # by now it is open

            shown = self._desk.last.outcome.answer
            return f"{called(shown.model) if shown.side == 'teacher' else 'local'} ({shown.reason.replace('_', ' ')})"
        return "offline" if self._settings.offline else ""

    def _is_quit(self, line: str) -> bool:
        try:
            return commands.read(line) == Call("quit", "")
        except ShammahError:
            return False

    def _close(self) -> None:
        self._lookout.end()
        self._loading.end()
        if self._desk is not None:
            self._desk.close()


def _tell(error: ShammahError) -> None:
    """Say what went wrong, and what to do next."""
    hint = error.hint_with("ask it again with /local")
    if isinstance(error, ContextTooLong):
        hint = "Begin a new conversation with /new, or ask more briefly."
    elif hint == ShammahError.hint:
        hint = "/why and `shammah log` show more."
    say(f"shammah: {error}" + (f"\n  {hint}" if hint else ""))
