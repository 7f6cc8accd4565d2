"""`shammah config`: what is set, where it comes from, and how it is changed."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from shammah import config, toml_text
from shammah.amounts import Memory
from shammah.cli.screen import harmless, say, write
from shammah.cli.typed import clean
from shammah.errors import UsageError
from shammah.patterns import Patterns
from shammah.settings import Settings
from shammah.values import choices

DEFAULT = "default"
_BELOW_ZERO = re.compile(r"-[\d.][\d.e+-]*")

app = typer.Typer(help="Show and change the settings.", no_args_is_help=True)


def _names(incomplete: str) -> list[str]:
    return [name for name in config.known_names() if name.startswith(incomplete)]


def _values(context: typer.Context, incomplete: str) -> list[str]:
    wanted = config.known_names().get(context.params.get("name") or "")
    return [word for word in (choices(wanted) if wanted else ()) if word.startswith(incomplete)]


Name = Annotated[str, typer.Argument(metavar="NAME", help="Such as teacher.max_usd_per_day.", autocompletion=_names)]
Part = Annotated[str | None, typer.Argument(metavar="[NAME|SECTION]", help="Only this.", autocompletion=_names)]
Value = Annotated[str, typer.Argument(metavar="VALUE", help="The new value.", autocompletion=_values)]
WithOrigin = Annotated[bool, typer.Option("--origin", help="Tell where each value comes from.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]


class _TakesNumbers(TyperCommand):
    """A command for which -1 is a value, and no option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put what ends the options before a number below zero."""
        at = next((at for at, word in enumerate(args) if _BELOW_ZERO.fullmatch(word)), None)
        is_marked = at is None or "--" in args
        return list(super().parse_args(ctx, args if is_marked else [*args[:at], "--", *args[at:]]))


@app.command()
def show(part: Part = None, origin: WithOrigin = False, as_json: AsJson = False) -> None:
    """Show every setting with its value, as config.toml would have it."""
    rows = config.given()
    settings = config.of(config.home_of(), rows)
    places = {row.name: row.place for row in rows}
    names = _chosen(part)
    values = {name: _value(settings, name) for name in names}
    if as_json:
        write(json.dumps({n: {"value": v, "origin": places.get(n, DEFAULT)} for n, v in values.items()}))
        return
    if origin and not part:
        say(f"File: {config.file_of(settings.home)}")
    write("\n".join(_lines(values, {n: places.get(n, DEFAULT) for n in names} if origin else None)))


@app.command("set", cls=_TakesNumbers)
def set_one(name: Name, value: Value) -> None:
    """Change a setting in config.toml; comments and order stay, and nothing is written that is wrong."""
    from shammah import settings_file

    home = config.home_of()
    config.given()  # what is no TOML is set aside
    settings_file.set_value(home, name, clean(value))
    say(f"`{name}` is {_told(home, name)} in {config.file_of(home)}.")
    if variable := settings_file.winner(name, os.environ):
        say(f"{variable} is set in the environment, and wins: unset {variable}")


@app.command()
def unset(name: Name) -> None:
    """Take a setting out of config.toml, so that its default holds."""
    from shammah import settings_file

    home = config.home_of()
    config.given()  # what is no TOML is set aside
    if name not in {row.name for row in config.in_file(home)}:
        config.check_known(name, f"`{name}`")
        say(f"`{name}` is not in {config.file_of(home)}; its default holds.")
        return
    settings_file.unset(home, name)
    say(f"`{name}` is no longer in {config.file_of(home)}.")


@app.command()
def edit() -> None:
    """Open config.toml in $EDITOR; what is wrong is not saved."""
    import click

    from shammah import settings_file

    def ask(text: str) -> str | None:
        try:
            return click.edit(text, extension=".toml")
        except click.ClickException as error:
            hint = "Set EDITOR, or use `shammah config set NAME VALUE`."
            raise UsageError(f"the editor failed: {error.message}", hint=hint) from error

    home = config.home_of()
    is_changed = settings_file.edited(home, ask)
    say(f"{config.file_of(home)} is saved." if is_changed else "Nothing was changed.")


def _chosen(part: str | None) -> list[str]:
    """The names that a name, or a section's, stands for."""
    names = list(config.known_names())
    chosen = [name for name in names if part is None or name == part or name.startswith(f"{part}.")]
    if not chosen and part is not None:
        config.check_known(part, f"`{part}`")
    return chosen


def _value(settings: Settings, name: str) -> Any:
    found: Any = settings
    for key in name.split("."):
        found = getattr(found, key)
    if isinstance(found, Patterns):
        return list(found.texts)
    return str(found) if isinstance(found, Memory) else found


def _lines(values: Mapping[str, Any], places: Mapping[str, str] | None) -> list[str]:
    """TOML, section by section; behind each value where it comes from."""
    lines: list[str] = []
    section = ""
    for name, value in values.items():
        heading, _, key = name.rpartition(".")
        if heading != section:
            lines += [*([""] if lines else []), f"[{heading}]"]
            section = heading
        line = f"{key} = {toml_text.literal(value)}"
        lines.append(harmless(line if places is None else f"{line:<32} # {places[name]}"))
    return lines


def _told(home: Path, name: str) -> str:
    row = next(row for row in config.in_file(home) if row.name == name)
    return harmless(toml_text.literal(row.value))
