"""Regular expressions that a user sets: checked when they are read, blind to upper and lower case."""

import re
import tomllib
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from shammah.errors import ConfigError

MOST_NESTED = 3
"""JSON within JSON, as far as anybody looks."""
_ESCAPE = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|(["\\/bfnrt]))')
_SIGNS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Patterns:
    """Some regular expressions, as they were typed."""

    texts: tuple[str, ...] = ()

    @classmethod
    def read(cls, value: Any, origin: str) -> "Patterns":
        """From a list; a text by itself is a list as TOML writes it, or has a pattern on each line.

        Raises:
            TypeError: It is something else.
            ConfigError: One of them is no regular expression; the text begins with its origin.
        """
        if isinstance(value, str):
            listed = _listed(value)
            lines = [line.strip() for line in value.splitlines() if line.strip()]
            value = lines if listed is None else listed
        if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
            raise TypeError
        for text in value:
            _check(text, origin)
        return cls(tuple(value))

    def match(self, *texts: str) -> str | None:
        """The first pattern that is found in one of the texts, however it is written there; None where none is."""
        read = [reading for text in texts for reading in readings(text)] if self.texts else []
        found = (one for one in self.texts for text in read if re.search(_whole_letters(one), text, re.IGNORECASE))
        return next(found, None)

    def meet(self, texts: Iterable[str]) -> bool:
        """Whether one of them is found in one of the texts."""
        return bool(self.texts) and self.match(*texts) is not None


def readings(text: str) -> Iterator[str]:
    """A text as it stands, as what JSON in it says, and with each letter as one character; what differs is given.

    What tools are told and answer is JSON, which may write letters as numbers, and may hold JSON. Names of files have
    their accents apart on a Mac.
    """
    seen = [text]
    while (plain := _ESCAPE.sub(_unescaped, seen[-1])) != seen[-1] and len(seen) <= MOST_NESTED:
        seen.append(plain)
    yield from dict.fromkeys([*seen, *map(_whole_letters, seen)])


def _whole_letters(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _unescaped(match: re.Match[str]) -> str:
    code, sign = match[1], match[2]
    return chr(int(code, 16)) if code else _SIGNS.get(sign, sign)


def _check(text: str, origin: str) -> None:
    if not text.strip():
        raise ConfigError(f"{origin} has an empty pattern", hint="It matches everything, as `offline = true` does.")
    try:
        with warnings.catch_warnings(action="ignore"):  # of what a later Python may read otherwise
            re.compile(text, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        hint = "It takes regular expressions as Python has them; put a backslash before a sign that means itself."
        raise ConfigError(f"{origin} has {text!r}, which is no regular expression: {error}", hint=hint) from error


def _listed(text: str) -> list[str] | None:
    """What a text says as a list of TOML; None where it is none."""
    try:
        found = tomllib.loads(f"x = {text}")["x"]
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) and all(isinstance(one, str) for one in found) else None
