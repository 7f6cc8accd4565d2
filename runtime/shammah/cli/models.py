"""`shammah models`: which Qwen answers, which fit this machine, and how they come and go."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shammah import config
from shammah.cli import complete, model_list, pull
from shammah.cli.screen import say
from shammah.errors import ModelMissing, ModelServerError, ModelTooLarge, ShammahError, UsageError
from shammah.proxies import is_url
from shammah.settings import Settings

if TYPE_CHECKING:
    from shammah.journal import Journal

UNSET = ModelServerError.hint
"""Means nothing where the server has not been chosen yet."""

app = typer.Typer(help="Find, fetch, choose and make model files.", no_args_is_help=True)
app.command("list")(model_list.list_models)
app.command("pull")(pull.pull)
app.command("show")(model_list.show)

Folder = Annotated[Path, typer.Argument(metavar="HF_FOLDER", help="A Qwen2 or Qwen3 as Hugging Face keeps it.")]
Out = Annotated[Path, typer.Argument(metavar="OUT.gguf", help="The file to write.")]
Kind = Annotated[str, typer.Option("--type", metavar="TYPE", help="Q8_0, Q4_K_M and so on; F16, BF16, F32.")]
Overwrite = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="As `shammah models list` has it, a path, `seedling`, or a server's URL.",
        autocompletion=complete.models,
    ),
]
Fetched = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A model that was pulled, or is on its way.", autocompletion=complete.model_names
    ),
]
TooLarge = Annotated[bool, typer.Option("--force", help="Also where it is too large for this machine.")]


@app.command()
def use(name: Name, force: TooLarge = False) -> None:
    """Let a model answer from the next question on: a file, the built-in `seedling`, or a server's by its URL."""
    from shammah import bases, fitting, pulling
    from shammah.journal import Journal

    settings = config.load()
    if is_url(name):
        _use_server(settings, name)
        return
    with Journal(settings.home) as journal:
        path = bases.resolve(name)
        if bases.is_seedling(path):
            pulling.use(settings.home, None)
            _forget_wish(journal)
            say("The built-in model answers from the next question on.")
            return
        machine, context = model_list.machine(), model_list.context_of(settings)
        wanted = model_list.need_of_file(path, context)
        if not (force or fitting.fits_ever(wanted, machine)):
            raise ModelTooLarge(f"{name} is too large for this machine: {wanted.in_words}")
        base = pulling.take_in(journal, path, say)
        pulling.use(settings.home, path)
        _forget_wish(journal)
    say(f"{base.name} answers from the next question on.")
    if not fitting.fits_now(wanted, machine):
        say(f"It {fitting.verdict(wanted, machine)}: {wanted.in_words}.")
    _warn_of_environment()


@app.command()
def remove(name: Fetched) -> None:
    """Remove a pulled model's files, or stop one that is on its way; other tools' files are left alone."""
    from shammah import found, hub, model_names
    from shammah.amounts import gigabytes
    from shammah.journal import Journal
    from shammah_convert.split import parts_of

    settings = config.load()
    if name in model_names.SEEDLING_NAMES:
        raise UsageError(f"{name} is built in, and stays", hint="To let another answer: shammah models use NAME")
    if name.startswith(model_names.TOOLS):
        raise UsageError(f"{name} belongs to another program", hint="Remove it there; Shammah only reads it.")
    wanted, path = model_names.wanted(name), model_names.locate(name)
    if path is not None and path.resolve() == model_list.used(settings):
        raise UsageError(f"{name} is in use", hint="First choose another: shammah models use NAME, or seedling.")
    with Journal(settings.home) as journal:
        awaited = journal.pulls.open_one()
        was_awaited = awaited is not None and awaited.spec == wanted.name
        if awaited is not None and was_awaited:
            journal.pulls.cancel(awaited)
    freed = hub.forget_parts(wanted.repository)
    if path is not None:
        freed += sum(hub.forget(part) for part in parts_of(path))
    if path is None and not freed and not was_awaited:
        kept = [model.name for model in found.all_models() if model.tool == "hf"]
        hint = f"Pulled are: {', '.join(kept)}." if kept else "Nothing is pulled yet."
        raise ModelMissing(f"{name} is not on this machine", hint=hint)
    say(f"{name} is removed; {gigabytes(freed)} became free. What was learnt with it is kept.")


@app.command()
def convert(folder: Folder, out: Out, kind: Kind = "Q4_K_M", force: Overwrite = False) -> None:
    """Convert a Hugging Face Qwen (safetensors) to a GGUF, and quantize it."""
    from shammah import conversion
    from shammah_convert.files import in_words

    folder, out, file_type = folder.expanduser(), out.expanduser(), conversion.check_type(kind)
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder", hint="Give the folder with config.json, as `hf download` makes it.")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {out.absolute().parent}", hint="Make it first.")
    if out.is_dir() or (out.exists() and not force):
        raise UsageError(f"{out} is there already", hint="Give another name, or --force.")
    try:
        conversion.convert(folder, out, file_type, say)
    except OSError as error:
        raise ShammahError(
            f"{out} cannot be written: {in_words(error)}", hint="Check the rights and the free space."
        ) from error
    say(f"{out} is ready: shammah ask --model {out} QUESTION")


def _use_server(settings: Settings, url: str) -> None:
    """Let the model of a server answer, once it has said what it is."""
    from shammah import pulling
    from shammah.compatible import cards, looking
    from shammah.journal import Journal

    try:
        found = looking.look(cards.endpoint(url, settings.offline, os.environ))
    except ModelServerError as error:
        hint = (
            "See that it runs, and that its URL is right. Nothing was changed." if error.hint == UNSET else error.hint
        )
        raise ModelServerError(str(error), hint=hint) from error
    pulling.use(settings.home, None, url)
    with Journal(settings.home) as journal:
        _forget_wish(journal)
    say(f"{found.model} at {url} answers from the next question on.")
    say("To train it, set `model.path` to a GGUF of the same weights.")
    _warn_of_environment()


def _forget_wish(journal: "Journal") -> None:
    """Let what is on its way not take the place of what is chosen now."""
    awaited = journal.pulls.open_one()
    if awaited is not None:
        journal.pulls.cancel(awaited)
        say(f"{awaited.title} is fetched no further; `shammah models pull {awaited.spec}` goes on.")


def _warn_of_environment() -> None:
    for variable in ("SHAMMAH_MODEL_PATH", "SHAMMAH_MODEL_SERVER"):
        if os.environ.get(variable):
            say(f"{variable} is set, and goes before this choice.")
