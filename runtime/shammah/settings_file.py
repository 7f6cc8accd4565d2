"""One setting changed in config.toml, and every other line of it left as it is."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from shammah.errors import ConfigError
from shammah_convert.files import write_whole

_TABLE = re.compile(r"^\s*\[", re.MULTILINE)
_VALUE = r"""(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s#'"]+)"""


def set_value(home: Path, name: str, text: str) -> None:
    """Give a setting that is a text, such as "model.path", a value in the file of a home; it is whole at any time.

    Raises:
        ConfigError: The file cannot be read or written, or says it in a way that is not changed here.
    """
    section, _, key = name.partition(".")
    file = (home / "config.toml").resolve()  # a link into a folder that is kept elsewhere stays one
    try:
        before = file.read_text("utf-8") if file.exists() else ""
        wanted = _with(tomllib.loads(before), section, key, text)
        after = _changed(before, section, key, json.dumps(text, ensure_ascii=False))
        if tomllib.loads(after) != wanted:
            raise ValueError(f"`{section}.{key}` stands there in a form that is not changed by a program")
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(file, after)
    except (OSError, TypeError, ValueError) as error:
        hint = f"Set it by hand: [{section}], {key} = {json.dumps(text, ensure_ascii=False)}"
        raise ConfigError(f"{file} cannot be changed: {error}", hint) from error


def _with(table: dict[str, Any], section: str, key: str, value: str) -> dict[str, Any]:
    return table | {section: dict(table.get(section) or {}) | {key: value}}


def _changed(text: str, section: str, key: str, value: str) -> str:
    """The text with one line replaced or added."""
    header = re.search(rf"^[ \t]*\[[ \t]*{section}[ \t]*\][^\n]*\n?", text, re.MULTILINE)
    if header is None:
        top, dotted = _split(text, 0), rf"{section}[ \t]*\.[ \t]*{key}"
        if changed := _replaced(top[0], dotted, value):
            return changed + top[1]
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        return f"{text}{gap}[{section}]\n{key} = {value}\n"
    inside, rest = _split(text, header.end())
    before = text[: header.end()] if header[0].endswith("\n") else f"{text}\n"
    own = inside[header.end() :]
    return before + (_replaced(own, key, value) or f"{key} = {value}\n{own}") + rest


def _split(text: str, start: int) -> tuple[str, str]:
    """The text up to the next table after a place, and what follows."""
    following = _TABLE.search(text, start)
    end = following.start() if following else len(text)
    return text[:end], text[end:]


def _replaced(text: str, key: str, value: str) -> str | None:
    """The text with the key's value replaced, its comment kept; None where it has no such key."""
    changed, count = re.subn(
        rf"^([ \t]*{key}[ \t]*=[ \t]*){_VALUE}", lambda found: found[1] + value, text, count=1, flags=re.MULTILINE
    )
    return changed if count else None
