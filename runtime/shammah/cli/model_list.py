"""`shammah models list` and `show`: what fits this machine, what is on it, what answers, and why."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shammah import config
from shammah.amounts import gigabytes
from shammah.cli.screen import harmless, say, write

if TYPE_CHECKING:
    from shammah.catalog import Model
    from shammah.fitting import Machine, Need, Proposal
    from shammah.found import Found
    from shammah.journal import Journal
    from shammah.records import Pull

Context = Annotated[int | None, typer.Option("--context", min=1, metavar="TOKENS", help="The context to reckon with.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]
Name = Annotated[str, typer.Argument(metavar="[NAME]", help="As the list has it, or a path; the one in use.")]

_INDENT = "  "


@dataclass(frozen=True, slots=True)
class Row:
    """A model in the list.

    Attributes:
        mark: "*" answers, "+" is here.
        word: Whether it fits, and what else there is to know.
    """

    mark: str
    name: str
    size_bytes: int
    need: "Need"
    word: str
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """What the list is drawn from.

    Attributes:
        used: The file that answers; None where it is gone.
        awaited: What is on its way.
        proposed: Its name; empty where nothing fits.
        context_tokens: That every model is reckoned with.
    """

    machine: "Machine"
    kept: "Sequence[Found]"
    used: Path | None
    awaited: "Pull | None"
    proposed: str
    context_tokens: int


def list_models(context: Context = None, as_json: AsJson = False) -> None:
    """Show which Qwens fit this machine, and why: RAM that is free, KV cache, GPU."""
    from shammah import catalog, fitting, found
    from shammah.journal import Journal

    settings = config.load(model__context_tokens=context)
    tokens, here = context_of(settings), machine()
    proposal = fitting.propose(catalog.models(), here, tokens)
    with Journal(settings.home) as journal:
        awaited = journal.pulls.open_one()
    proposed = proposal.model.name if proposal.model else ""
    sight = Sight(here, found.all_models(), _used(settings), awaited, proposed, tokens)
    official = [_official(model, sight) for model in catalog.models()]
    others = [_other(one, sight) for one in sight.kept if catalog.model_named(one.name) is None]
    if as_json:
        write(json.dumps(_as_object(sight, [*official, *others])))
        return
    lines = [*_of_machine(here), "", *_table(official)]
    if others:
        lines += ["", "Also on this machine:", "", *_table(others)]
    if any(row.mark != " " for row in [*official, *others]):
        lines += ["", "* answers   + is here"]
    is_here = any(row.mark != " " for row in official if row.name == proposed)
    write(harmless("\n".join([*lines, "", *_of_proposal(proposal, sight, is_here)])))


def show(name: Name = "", context: Context = None) -> None:
    """Show one model: its file, its shape, its licence, and what it takes of this machine."""
    from shammah import bases, catalog, fitting
    from shammah.errors import ModelMissing
    from shammah.journal import Journal

    settings = config.load(model__context_tokens=context)
    model, here, tokens = catalog.model_named(name), machine(), context_of(settings)
    try:
        path: Path | None = bases.resolve(name or settings.model.path)
    except ModelMissing:
        if model is None:
            raise
        path = None
    need = fitting.need_of(model, tokens) if model and path is None else need_of_file(Path(str(path)), tokens)
    lines = [f"{model.title}, {model.quantization}" if model else str(path and path.name)]
    if model:
        lines += [f"hub      {model.repository}", f"licence  {model.licence}"]
    if path is None:
        lines.append(f"file     not here; shammah models pull {name}")
    else:
        with Journal(settings.home) as journal:
            lines += [f"file     {path}", *_of_base(journal, path)]
    lines += [*_of_machine(here), "", *_sum(need), f"{_INDENT}{fitting.verdict(need, here)}"]
    write(harmless("\n".join(lines)))


def machine() -> "Machine":
    """This machine, as it is now."""
    import psutil

    from shammah import hardware
    from shammah.fitting import Machine
    from shammah.local.devices import gpus

    return Machine(int(psutil.virtual_memory().total), hardware.ram_available_bytes(), gpus())


def context_of(settings: config.Settings) -> int:
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


def _used(settings: config.Settings) -> Path | None:
    """The file that answers; None where it is gone."""
    from shammah import bases
    from shammah.errors import ModelMissing

    try:
        return bases.resolve(settings.model.path).resolve()
    except ModelMissing as error:
        say(f"The model in use is gone: {error}.")
        return None


def _official(model: "Model", sight: Sight) -> Row:
    from shammah import fitting

    need = fitting.need_of(model, sight.context_tokens)
    path = next((one.path for one in sight.kept if one.name == model.name), None)
    word = fitting.verdict(need, sight.machine)
    if sight.awaited is not None and sight.awaited.spec == model.name:
        word = f"on its way, {sight.awaited.percent}%"
    elif model.name == sight.proposed:
        word = f"{word}, proposed"
    mark = " " if path is None else "*" if path.resolve() == sight.used else "+"
    return Row(mark, model.name, model.size_bytes, need, word, model.licence)


def _other(one: "Found", sight: Sight) -> Row:
    from shammah import fitting

    need = fitting.need(one.size_bytes, one.shape, sight.context_tokens)
    mark = "*" if one.path.resolve() == sight.used else "+"
    return Row(mark, one.name, one.size_bytes, need, fitting.verdict(need, sight.machine))


def _table(rows: Sequence[Row]) -> list[str]:
    """Name, file, RAM, verdict; a name that is too long stands on a line of its own."""
    lines = [f"  {'NAME':<13} {'FILE':>7} {'RAM':>7}  FITS"]
    for row in rows:
        facts = f"{gigabytes(row.size_bytes):>7} {gigabytes(row.need.bytes):>7}  {row.word}"
        if len(row.name) > 13:
            lines += [f"{row.mark} {row.name}", f"  {'':<13} {facts}"]
        else:
            lines.append(f"{row.mark} {row.name:<13} {facts}")
        if row.licence not in ("", "apache-2.0"):
            lines.append(f"  {'':<13} licence {row.licence}: to be agreed to")
    return lines


def _of_machine(here: "Machine") -> list[str]:
    total, free = gigabytes(here.ram_bytes), gigabytes(here.available_bytes)
    lines = [f"RAM      {total}, {free} free now; counts as {here.nominal_gb} GB"]
    lines += [f"GPU      {gpu.name}, {gigabytes(gpu.free_bytes)} free" for gpu in here.gpus]
    return lines if here.gpus else [*lines, "GPU      none that the installed llama.cpp can use"]


def _of_proposal(proposal: "Proposal", sight: Sight, is_here: bool) -> list[str]:
    """The arithmetic, and what to do."""
    from shammah import fitting

    by_size, model, tokens = proposal.by_size, proposal.model, sight.context_tokens
    lines = [f"A {sight.machine.nominal_gb} GB machine: {by_size.title}.", *_sum(fitting.need_of(by_size, tokens))]
    if model is None:
        return [*lines, "Nothing fits into what is free: close programs, or --force."]
    if model.name != by_size.name:
        lines += [f"More than is free, so: {model.title}.", *_sum(fitting.need_of(model, tokens))]
    verb, what = ("use", "Let it answer") if is_here else ("pull", "Fetch it")
    return [*lines, f"{what}: shammah models {verb} {model.name}"]


def _sum(need: "Need") -> list[str]:
    return [
        f"{_INDENT}{gigabytes(need.file_bytes):>7}  file",
        f"{_INDENT}{gigabytes(need.cache_bytes):>7}  KV cache for {need.context_tokens:,} tokens",
        f"{_INDENT}{gigabytes(need.run_bytes):>7}  to compute",
        f"{_INDENT}{gigabytes(need.bytes):>7}  in all",
    ]


def _of_base(journal: "Journal", path: Path) -> list[str]:
    base = journal.base_at(path)
    if base is None:
        return ["sha256   not taken yet: it has not been used"]
    count = sum(adapter.base == base.sha256 for adapter in journal.adapters.all())
    return [
        f"name     {base.name} ({base.architecture})",
        f"sha256   {base.sha256}",
        f"asked    {journal.count(base.sha256)} questions, {count} adapters",
    ]


def _as_object(sight: Sight, rows: Sequence[Row]) -> dict[str, Any]:
    here = sight.machine
    return {
        "machine": asdict(here) | {"nominal_gb": here.nominal_gb},
        "proposed": sight.proposed or None,
        "models": [
            {
                "name": row.name,
                "is_here": row.mark != " ",
                "is_used": row.mark == "*",
                "file_bytes": row.size_bytes,
                "needed_bytes": row.need.bytes,
                "verdict": row.word,
                "licence": row.licence or None,
            }
            for row in rows
        ],
    }
