"""How an answer is shown: as it comes, whole, or as an object; nothing heavy is opened for it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

from shammah.asked import Told
from shammah.cli.screen import Silent, Terminal, json_line, say, write
from shammah.errors import Interrupted


@dataclass(frozen=True, slots=True)
class Manner:
    """What the flags and the terminal make of an answer."""

    as_json: bool

    @property
    def is_live(self) -> bool:
        """Whether it shows as it comes."""
        return sys.stdout.isatty() and not self.as_json

    def screen(self, announce: Callable[[float], None]) -> Silent | Terminal:
        """Where it shows while it is made; `announce` hears the worst cost before it goes to the teacher."""
        return (Terminal if self.is_live else Silent)(announce)


def tell(told: Told, manner: Manner) -> None:
    """Write the answer, and what is worth a line beside it."""
    if manner.as_json:
        write(json_line(told.outcome))
    elif not manner.is_live and not told.is_interrupted:
        write(told.text)
    for line in told.lines:
        say(line)


def end(told: Told) -> None:
    """Let the command end as the answer did.

    Raises:
        Interrupted: Somebody stopped it.
    """
    if told.is_interrupted:
        raise Interrupted("interrupted")
