"""Settings, read once: flag, then environment, then config.toml, then default."""

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from shammah import bounds, unreadable
from shammah.errors import ConfigError, NoToml, UsageError
from shammah.given import HOME_VARIABLE as HOME_VARIABLE
from shammah.given import VARIABLE, Given, in_environment, in_flags, in_table, read, variable_of
from shammah.settings import Settings
from shammah.values import convert

LEAST_ALIKE = 0.6
"""Less like a known name is no slip of the hand."""


def load(environ: Mapping[str, str] = os.environ, **flags: object) -> Settings:
    """Read all settings.

    Args:
        environ: Where SHAMMAH_HOME and SHAMMAH_<SECTION>_<KEY> are looked up.
        flags: Values from the command line, by dotted name with `__` for the dot; None means not given.

    Raises:
        ConfigError: A file cannot be read, or a key or value in file or environment is wrong.
        UsageError: A flag's value is wrong.
    """
    return of(home_of(environ), given(environ, flags))


def home_of(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of everything that is kept."""
    return Path(environ.get(HOME_VARIABLE) or "~/.shammah").expanduser().absolute()


def file_of(home: Path) -> Path:
    """The configuration file of a home."""
    return home / "config.toml"


def given(environ: Mapping[str, str] = os.environ, flags: Mapping[str, object] | None = None) -> list[Given]:
    """Every value that was given, weakest first: what comes later wins. A file that is no TOML is set aside.

    Raises:
        ConfigError: The file cannot be read, or not be set aside.
    """
    home = home_of(environ)
    try:
        rows = in_file(home)
    except NoToml as error:
        unreadable.set_aside(file_of(home), error, environ)
        rows = in_file(home)
    return [*rows, *in_environment(environ, sections()), *in_flags(flags or {})]


def in_file(home: Path, table: Mapping[str, Any] | None = None) -> list[Given]:
    """What a home's file gives, or would give with another table.

    Raises:
        ConfigError: The file cannot be read.
    """
    file = file_of(home)
    return in_table(read(file) if table is None else table, file, sections())


def of(home: Path, rows: Iterable[Given]) -> Settings:
    """The settings that these values make, over the defaults.

    Raises:
        ConfigError: One of them is unknown or wrong.
        UsageError: That one was given as an option.
    """
    settings, server_at, rows = Settings(home=home), "", list(rows)
    for row in rows:
        settings = _given(settings, row)
        if row.name == "model.server":
            server_at = row.level
        elif row.name == "model.path" and row.value and server_at != row.level:  # a file that is named for once
            settings = replace(settings, model=replace(settings.model, server="", served_as=""))  # is opened here
    last = {row.name: row for row in rows}
    bounds.check(settings, {name for name, row in last.items() if row.is_flag})
    return settings


def sections() -> list[str]:
    """The names of the settings' sections."""
    return [f.name for f in fields(Settings) if is_dataclass(f.type)]


def known_names() -> dict[str, Any]:
    """Every setting's dotted name and its type."""
    names: dict[str, Any] = {f.name: f.type for f in fields(Settings) if not is_dataclass(f.type)}
    del names["home"]
    for section in fields(Settings):
        if is_dataclass(section.type):
            names |= {f"{section.name}.{f.name}": f.type for f in fields(section.type)}
    return names


def check_known(name: str, origin: str) -> None:
    """Refuse a name that no setting has, with the nearest that one has.

    Raises:
        ConfigError: It is unknown; the text begins with its origin.
    """
    names = known_names()
    if name in names:
        return
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=LEAST_ALIKE)
    meant = [variable_of(one) for one in nearest] if origin.startswith(VARIABLE) else [f"`{one}`" for one in nearest]
    raise ConfigError(f"{origin} is unknown", hint=f"Did you mean {meant[0]}?" if meant else None)


def _given(settings: Settings, row: Given) -> Settings:
    """The settings with a value; one that was typed now and is wrong is a matter of usage."""
    try:
        return _with(settings, row.name, row.value, row.words)
    except ConfigError as error:
        if row.is_flag:
            raise UsageError(str(error), hint=error.hint) from error
        raise


def _with(settings: Settings, name: str, value: Any, origin: str) -> Settings:
    check_known(name, origin)
    converted = convert(value, known_names()[name], origin)
    section, _, key = name.rpartition(".")
    if not section:
        return replace(settings, **{key: converted})
    return replace(settings, **{section: replace(getattr(settings, section), **{key: converted})})


def with_server(settings: Settings, url: str) -> Settings:
    """The same settings for the model of a server."""
    return replace(settings, model=replace(settings.model, path="", server=url, served_as=""))


def with_model(settings: Settings, path: str) -> Settings:
    """The same settings for another model file, opened on this machine."""
    return replace(settings, model=replace(settings.model, path=path, server="", served_as=""))
