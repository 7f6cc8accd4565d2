"""What the doctor finds."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "broken"]
"""Of what was looked at: all is well; worth knowing, and works without; does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What it is: machine, settings, model, and so on.
        what: How it is, in a sentence.
        command: What mends or improves it, to be typed as it stands; empty where nothing does.
    """

    name: str
    state: State
    what: str
    command: str = ""
