"""What was given for settings, and where each value stands: in a file, in the environment, behind an option."""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shammah.errors import ConfigError, NoToml
from shammah_convert import failpoints
from shammah_convert.files import in_words

PREFIX = "SHAMMAH_"
VARIABLE = "environment variable"
HOME_VARIABLE = "SHAMMAH_HOME"
BACKGROUND_VARIABLE = "SHAMMAH_BACKGROUND"
"""Set for processes that nobody sees or hears."""
# Variables of ours that are no settings.
RESERVED = frozenset({HOME_VARIABLE, BACKGROUND_VARIABLE, failpoints.VARIABLE})
DEEPEST = 8
"""No setting lies so deep; what does is wrong, and may have thousands of dots."""


OPTION = "an option"
_FLAGS = {
    "model.path": "--model",
    "model.context_tokens": "--context",
    "trainer.continue_active": "--continue",
}
"""Of settings whose option is not called as they are."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value that somebody gave a setting.

    Attributes:
        name: The setting's, dotted.
        place: Where it stands: a file, a variable, an option.
        words: How an error begins that is about it.
    """

    name: str
    value: Any
    place: str
    words: str

    @property
    def is_flag(self) -> bool:
        """Whether it was given on the command line, now."""
        return self.place == OPTION

    @property
    def level(self) -> str:
        """What kind of place it is: what is given in one goes together."""
        return "environment" if self.place.startswith(PREFIX) else self.place


def in_table(table: Mapping[str, Any], file: Path, sections: Collection[str]) -> list[Given]:
    """What the table of a file gives."""
    return [Given(name, value, str(file), f"{file}: `{name}`") for name, value in _flatten(table, sections)]


def in_environment(environ: Mapping[str, str], sections: Collection[str]) -> list[Given]:
    """What the variables SHAMMAH_<SECTION>_<KEY> give."""
    return [
        Given(_dotted(variable, sections), text, variable, f"{VARIABLE} {variable}")
        for variable, text in environ.items()
        if variable.startswith(PREFIX) and variable not in RESERVED
    ]


def in_flags(flags: Mapping[str, object]) -> list[Given]:
    """What options give: by dotted name, with `__` for the dot; None means not given."""
    names = {flag.replace("__", "."): value for flag, value in flags.items() if value is not None}
    return [Given(name, value, OPTION, f"the option {flag_of(name)}") for name, value in names.items()]


def read(file: Path) -> dict[str, Any]:
    """The table of a file; an empty one where there is none.

    Raises:
        NoToml: It is something else.
        ConfigError: It cannot be read.
    """
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):  # the latter is told where something is written
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NoToml(f"{file} is no TOML: {error}") from error
    except (OSError, ValueError, RecursionError) as error:  # a number of 5,000 digits is TOML
        raise ConfigError(f"{file} cannot be read: {in_words(error)}", hint=NoToml.hint) from error


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.replace(".", "_").upper()


def flag_of(name: str) -> str:
    """The option of a setting."""
    return _FLAGS.get(name) or "--" + name.rpartition(".")[2].replace("_", "-")


def _flatten(table: Mapping[str, Any], sections: Collection[str], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in table.items():
        is_section = isinstance(value, dict) and (value or key in sections) and prefix.count(".") < DEEPEST
        rows += _flatten(value, sections, f"{prefix}{key}.") if is_section else [(prefix + key, value)]
    return rows


def _dotted(variable: str, sections: Collection[str]) -> str:
    """SHAMMAH_TEACHER_MAX_USD_PER_DAY -> teacher.max_usd_per_day, SHAMMAH_OFFLINE -> offline."""
    name = variable.removeprefix(PREFIX).lower()
    section, _, key = name.partition("_")
    return f"{section}.{key}" if key and section in sections else name
