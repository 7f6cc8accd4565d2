"""Changes to config.toml: checked as a whole before anything is written, and then written at once."""

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from shammah import config, locks, toml_text
from shammah.amounts import Memory
from shammah.errors import ConfigError
from shammah.given import Given, variable_of
from shammah.patterns import Patterns
from shammah.values import convert
from shammah_convert.files import in_words, write_private

START = """# Shammah's configuration. `shammah config show` lists every setting with its value,
# `shammah config set NAME VALUE` changes one here.
"""


def set_value(home: Path, name: str, text: str) -> None:
    """Give a setting a value in the file of a home.

    Raises:
        ConfigError: The name is unknown, the value is wrong, or the file holds something that is.
    """
    words = f"the value for `{name}`"
    config.check_known(name, f"`{name}`")
    value = convert(text, config.known_names()[name], words)
    config.of(home, [Given(name, text, words, words)])  # nan would not be found again as it was written
    _change(home, lambda before: toml_text.set_key(before, tuple(name.split(".")), _written(value, text)))


def _written(value: object, text: str) -> object:
    """A value as TOML can hold it."""
    if isinstance(value, Patterns):
        return list(value.texts)
    return text if isinstance(value, Memory) else value


def unset(home: Path, name: str) -> None:
    """Take a setting out of the file of a home, so that its default holds; also one that no setting is.

    Raises:
        ConfigError: The file cannot be read, or holds something else that is wrong.
    """
    _change(home, lambda before: toml_text.drop_key(before, tuple(name.split("."))))


def edited(home: Path, edit: Callable[[str], str | None]) -> bool:
    """Let somebody change the text of the file; whether it was changed.

    Raises:
        ConfigError: What came back is wrong; the file is as it was, and the text is kept beside it.
    """
    before = _read(home)
    after = edit(before or START)
    if after is None or after == before:
        return False
    try:
        check(home, after, before)
    except ConfigError as error:
        kept = config.file_of(home).with_suffix(".rejected.toml")
        _write(kept, after)
        hint = f"{error.hint} Nothing was changed; your text is in {kept}."
        raise ConfigError(str(error), hint=hint) from error
    _write(config.file_of(home), after)
    return True


def check(home: Path, text: str, before: str = "") -> None:
    """Check the text of a configuration file, and of what it did not say before that it can be used.

    Raises:
        ConfigError: It is no TOML, or gives something that is unknown or wrong.
        ModelMissing: It names a model that is not there.
    """
    file = config.file_of(home)
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file} would not be TOML: {error}", hint="See https://toml.io.") from error
    rows = config.in_file(home, table)
    config.of(home, rows)
    for row in rows:
        if row.name in _USABLE and row.value and not _says(before, row.name, row.value):
            _USABLE[row.name](row.value)


def _says(text: str, name: str, value: object) -> bool:
    """Whether the text of a file gives a setting this value."""
    try:
        table: object = tomllib.loads(text)
    except (ValueError, RecursionError):
        return False
    for key in name.split("."):
        table = table.get(key) if isinstance(table, dict) else None
    return table == value


def _check_url(name: str, url: str) -> None:
    from shammah.teacher.access import check as check_access  # most changes are of something else

    check_access(url, f"`{name}`")


def _check_model(path: str) -> None:
    from shammah import bases

    bases.resolve(path)


_USABLE: Mapping[str, Callable[[str], None]] = {
    "teacher.base_url": lambda url: _check_url("teacher.base_url", url),
    "model.server": lambda url: _check_url("model.server", url),
    "model.path": _check_model,
}
"""Settings of which more is to be seen than their type."""


def winner(name: str, environ: Mapping[str, str]) -> str:
    """The variable that has the last word on a setting, whatever the file says; empty where there is none."""
    variable = variable_of(name)
    return variable if variable in environ else ""


def _change(home: Path, change: Callable[[str], str]) -> None:
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locks.waited_for(home / "config.lock"):  # of two changes at once, neither is lost
        before = _read(home)
        after = change(before)
        check(home, after, before)
        if after != before:
            _write(config.file_of(home), after)


def _read(home: Path) -> str:
    file = config.file_of(home)
    try:
        return file.read_bytes().decode("utf-8")  # with its own ends of lines
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{file} cannot be read: {in_words(error)}", hint="Mend the file, or move it away."
        ) from error


def _write(file: Path, text: str) -> None:
    """Replace a file at once, for its owner's eyes alone; of a link, what it leads to."""
    target = Path(os.path.realpath(file))
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(target, text)
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be written: {in_words(error)}", hint="Check its rights and the free space."
        ) from error
