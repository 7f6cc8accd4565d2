"""`shammah adapters import` and `export`: from other tools, and for them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from shammah import config
from shammah.cli import complete
from shammah.cli.screen import say
from shammah.errors import UsageError
from shammah_convert.split import parts_of

Source = Annotated[Path, typer.Argument(metavar="PATH", help="A LoRA GGUF, or a PEFT folder.")]
Called = Annotated[str | None, typer.Option("--name", metavar="NAME", help="What to call it here.")]
Model = Annotated[
    str | None, typer.Option("--model", metavar="PATH", help="The GGUF that is served.", autocompletion=complete.models)
]
Scaled = Annotated[str, typer.Argument(metavar="NAME[:SCALE]", help="The adapter; a scale goes with --merge.")]
File = Annotated[Path | None, typer.Argument(metavar="[FILE.gguf]", help="Write its LoRA GGUF here.")]
Folder = Annotated[Path | None, typer.Option("--peft", metavar="DIR", help="Write a PEFT folder here.")]
Merged = Annotated[
    Path | None, typer.Option("--merge", metavar="FILE.gguf", help="Write the model with the adapter worked in here.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]

UNVERIFIED = (
    "It does not say which model it was made for: its shape fits {}, and llama.cpp runs it,"
    " but whether it was made for these weights cannot be verified. Compare the answers."
)

MERGED = "{} with {} is in {}, quantized as it was. Rounding moved the weights by {:.2g} of what the adapter does."
MOST_ROUNDING = 0.5
LOST = " Some of what was learnt may be lost: compare the answers with those of the adapter."


def take_in(path: Source, name: Called = None, model: Model = None) -> None:
    """Check an adapter that another tool made, GGUF or PEFT, and take it in; `use` applies it."""
    from shammah import adapters, bases, exchange
    from shammah.journal import Journal

    settings = config.load(model__path=model)
    with Journal(settings.home) as journal:
        base = bases.identify(journal, bases.wanted(settings), say)
        taken = exchange.take_in(settings.home, path.expanduser(), base, name)
        name = adapters.record(journal, taken.adapter).name
        if not taken.is_verified:
            say(UNVERIFIED.format(base.name))
        say(f"{name} is here; apply it with `shammah adapters use {name}`.")


def export(name: Scaled, file: File = None, peft: Folder = None, merge: Merged = None, force: Force = False) -> None:
    """Write an adapter for other tools: its LoRA GGUF, a PEFT folder, or one GGUF merged with its model."""
    from shammah import adapters, exchange
    from shammah.journal import Journal

    target = _only([file, peft, merge])
    with Journal(config.load().home) as journal:
        _, ((plain, scale),) = adapters.parse_set(journal, [name])
        adapter = adapters.find(journal, plain)
        if scale != 1.0 and merge is None:
            raise UsageError(f"{name} has a scale", hint="Only --merge applies one.")
        base = exchange.base_of(journal, adapter)
        _check_free(target, [Path(adapter.path), *parts_of(Path(base.path))], force)
        if merge is not None:
            share = exchange.write_merged(adapter, scale, base, target).share
            say(MERGED.format(base.name, plain, target, share) + (LOST if share > MOST_ROUNDING else ""))
            return
        if peft is not None:
            exchange.write_peft(adapter, base, target)
        else:
            exchange.write_gguf(adapter, target)
        say(f"{plain} is in {target}.")


def _only(targets: Sequence[Path | None]) -> Path:
    given = [target.expanduser() for target in targets if target is not None]
    if len(given) != 1:
        raise UsageError("an export goes to one place", hint="Give FILE.gguf, --peft DIR, or --merge FILE.gguf.")
    return given[0]


def _check_free(target: Path, sources: Sequence[Path], is_forced: bool) -> None:
    """Refuse what would overwrite something, and always what would overwrite what is exported."""
    if any(target.exists() and target.samefile(source) for source in sources):
        raise UsageError(f"{target} is what is exported", hint="Give another name.")
    is_taken = any(target.iterdir()) if target.is_dir() else target.exists()
    if is_taken and not is_forced:
        raise UsageError(f"{target} is there already", hint="Give another name, or --force.")
