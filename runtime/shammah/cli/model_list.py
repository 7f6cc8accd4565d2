"""`shammah models list` and `show`: what fits this machine, what is on it, what answers, and why."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shammah import config
from shammah.cli import complete
from shammah.cli.screen import say, tell, write
from shammah.settings import Settings

if TYPE_CHECKING:
    from shammah.cli.model_table import Row, Sight
    from shammah.fitting import Machine, Need
    from shammah.journal import Journal

Context = Annotated[int | None, typer.Option("--context", min=1, metavar="TOKENS", help="The context to reckon with.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]
Name = Annotated[
    str,
    typer.Argument(
        metavar="[NAME]", help="As the list has it, or a path; the one in use.", autocompletion=complete.models
    ),
]


def list_models(context: Context = None, as_json: AsJson = False) -> None:
    """Show which Qwens fit this machine, and why: RAM that is free, KV cache, GPU."""
    from shammah import catalog, fitting, found
    from shammah.cli import model_table
    from shammah.journal import Journal

    settings = config.load(model__context_tokens=context)
    tokens, here = context_of(settings), machine()
    proposal = fitting.propose(catalog.models(), here, tokens)
    with Journal(settings.home) as journal:
        awaited = journal.pulls.open_one()
    proposed = proposal.model.name if proposal.model else ""
    sight = model_table.Sight(here, found.all_models(), used(settings), awaited, proposed, tokens)
    official = [model_table.official(model, sight) for model in catalog.models()]
    others = [model_table.other(one, sight) for one in sight.kept if catalog.model_named(one.name) is None]
    others += _unlisted(sight, is_served=bool(settings.model.server))
    if as_json:
        write(json.dumps(model_table.as_object(sight, [*official, *others])))
        return
    lines = [*model_table.of_machine(here), "", *model_table.table(official)]
    lines += ["", "Also on this machine:", "", *model_table.table(others), "", "* answers   + is here"]
    is_here = any(row.mark != " " for row in official if row.name == proposed)
    tell("\n".join([*lines, "", *model_table.of_proposal(proposal, sight, is_here)]))
    if settings.model.server:
        say(f"{settings.model.server} runs the model that answers: `shammah models show`.")


def _unlisted(sight: "Sight", is_served: bool) -> "Iterator[Row]":
    """The built-in model, and what answers where no tool keeps it."""
    from shammah import bases
    from shammah.cli import model_table

    used, known = sight.used, {one.path.resolve() for one in sight.kept}
    yield model_table.of_file("seedling", bases.SEEDLING, need_of_file(bases.SEEDLING, sight.context_tokens), sight)
    if used is not None and not is_served and used not in known | {bases.SEEDLING.resolve()}:
        yield model_table.of_file(str(used), used, need_of_file(used, sight.context_tokens), sight)


def show(name: Name = "", context: Context = None) -> None:
    """Show one model: its file, its shape, its licence, and what it takes of this machine."""
    from shammah import bases, catalog, fitting
    from shammah.cli import model_table
    from shammah.errors import ModelMissing
    from shammah.journal import Journal

    settings = config.load(model__context_tokens=context)
    if settings.model.server and not name:
        tell(_of_server(settings))
        return
    model, here, tokens = catalog.model_named(name), machine(), context_of(settings)
    lines = []
    if model is not None:
        lines += [f"{model.title}, {model.quantization}", f"hub      {model.repository}", f"licence  {model.licence}"]
    try:
        path = bases.resolve(name or settings.model.path)
    except ModelMissing:
        if model is None:
            raise
        need = fitting.need_of(model, tokens)
        lines.append(f"file     not here; shammah models pull {model.name}")
    else:
        need = need_of_file(path, tokens)
        with Journal(settings.home) as journal:
            lines += [f"file     {path}", *_of_base(journal, path)]
    lines += [*model_table.of_machine(here), "", *model_table.sum_of(need), f"  {fitting.verdict(need, here)}"]
    tell("\n".join(lines))


def _of_server(settings: Settings) -> str:
    """The model in use, where a server runs it."""
    from shammah.compatible import cards, looking

    found = looking.look(cards.endpoint(settings.model.server, settings.offline, os.environ), settings.model.served_as)
    context = f"{found.context_tokens:,} tokens" if found.context_tokens else "not told"
    file = settings.model.path or "none here: it cannot be trained"
    lines = [f"server   {settings.model.server} ({found.kind})", f"name     {found.model}", f"context  {context}"]
    lines += [f"source   {found.identity.source}"] if found.identity.source else []
    return "\n".join([*lines, f"file     {file}"])


def machine() -> "Machine":
    """This machine, as it is now."""
    import psutil

    from shammah import hardware
    from shammah.fitting import Machine
    from shammah.local.devices import gpus

    return Machine(int(psutil.virtual_memory().total), hardware.ram_available_bytes(), gpus())


def context_of(settings: Settings) -> int:
    """The context that a model is opened with at most."""
    from shammah.assembly import DEFAULT_CONTEXT_TOKENS

    return settings.model.context_tokens or DEFAULT_CONTEXT_TOKENS


def need_of_file(path: Path, context_tokens: int) -> "Need":
    """What a model file takes.

    Raises:
        BadModel: It does not tell its shape.
    """
    from shammah import fitting
    from shammah.errors import BadModel
    from shammah_convert.attention import Attention
    from shammah_convert.shape import BadBase
    from shammah_convert.split import parts_of

    try:
        shape = Attention.read(path)
    except BadBase as error:
        raise BadModel(str(error)) from error
    return fitting.need(sum(part.stat().st_size for part in parts_of(path)), shape, context_tokens)


def used(settings: Settings) -> Path | None:
    """The file that answers, links followed; None where it is gone, which is said."""
    from shammah import bases
    from shammah.errors import ModelMissing, ModelServerError, StaysHere

    try:
        return bases.wanted(settings).resolve()
    except ModelMissing as error:
        say(f"The model in use is gone: {error}.")
        return None
    except (ModelServerError, StaysHere) as error:
        say(f"The model in use is out of reach: {error}.")
        return None


def _of_base(journal: "Journal", path: Path) -> list[str]:
    base = journal.bases.at(path)
    if base is None:
        return ["sha256   not taken yet: it has not been used"]
    adapters = sum(adapter.base == base.sha256 for adapter in journal.adapters.all())
    asked, counted = journal.log.asked(base.sha256), journal.count(base.sha256)
    return [
        f"name     {base.name} ({base.architecture})",
        f"sha256   {base.sha256}",
        f"asked    {asked} question{'s' * (asked != 1)}, {adapters} adapter{'s' * (adapters != 1)}",
        f"counted  {counted} of them: a teacher was at hand, and no side forced",
    ]
