"""The list of models as a table, and as JSON: what each takes of this machine, and whether it fits."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shammah import fitting
from shammah.amounts import gigabytes
from shammah.catalog import Model
from shammah.fitting import Machine, Need, Proposal
from shammah.found import Found
from shammah.records.bases import Pull

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
    need: Need
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

    machine: Machine
    kept: Sequence[Found]
    used: Path | None
    awaited: Pull | None
    proposed: str
    context_tokens: int


def official(model: Model, sight: Sight) -> Row:
    """The row of a model of the catalog."""
    need = fitting.need_of(model, sight.context_tokens)
    path = next((one.path for one in sight.kept if one.name == model.name), None)
    word = fitting.verdict(need, sight.machine)
    if sight.awaited is not None and sight.awaited.spec == model.name:
        word = f"on its way, {sight.awaited.percent}%"
    elif model.name == sight.proposed:
        word = f"{word}, proposed"
    mark = " " if path is None else "*" if path.resolve() == sight.used else "+"
    return Row(mark, model.name, model.size_bytes, need, word, model.licence)


def other(one: Found, sight: Sight) -> Row:
    """The row of a model that another tool, or nobody official, brought here."""
    need = fitting.need(one.size_bytes, one.shape, sight.context_tokens)
    mark = "*" if one.path.resolve() == sight.used else "+"
    return Row(mark, one.name, one.size_bytes, need, fitting.verdict(need, sight.machine))


def of_file(name: str, path: Path, need: Need, sight: Sight) -> Row:
    """The row of a file that is in no list."""
    mark = "*" if path.resolve() == sight.used else "+"
    return Row(mark, name, need.file_bytes, need, fitting.verdict(need, sight.machine))


def table(rows: Sequence[Row]) -> list[str]:
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


def of_machine(here: Machine) -> list[str]:
    """What the machine has, in lines."""
    total, free = gigabytes(here.ram_bytes), gigabytes(here.available_bytes)
    lines = [f"RAM      {total}, {free} free now; counts as {here.nominal_gb} GB"]
    lines += [f"GPU      {gpu.name}, {gigabytes(gpu.free_bytes)} free" for gpu in here.gpus]
    return lines if here.gpus else [*lines, "GPU      none that the installed llama.cpp can use"]


def of_proposal(proposal: Proposal, sight: Sight, is_here: bool) -> list[str]:
    """The arithmetic, and what to do."""
    by_size, model, tokens = proposal.by_size, proposal.model, sight.context_tokens
    lines = [f"A {sight.machine.nominal_gb} GB machine: {by_size.title}.", *sum_of(fitting.need_of(by_size, tokens))]
    if model is None:
        return [*lines, "Nothing fits into what is free: close programs, or --force."]
    if model.name != by_size.name:
        lines += [f"More than is free, so: {model.title}.", *sum_of(fitting.need_of(model, tokens))]
    verb, what = ("use", "Let it answer") if is_here else ("pull", "Fetch it")
    return [*lines, f"{what}: shammah models {verb} {model.name}"]


def sum_of(need: Need) -> list[str]:
    """What a model takes, as a sum."""
    return [
        f"{_INDENT}{gigabytes(need.file_bytes):>7}  file",
        f"{_INDENT}{gigabytes(need.cache_bytes):>7}  KV cache for {need.context_tokens:,} tokens",
        f"{_INDENT}{gigabytes(need.run_bytes):>7}  to compute",
        f"{_INDENT}{gigabytes(need.bytes):>7}  in all",
    ]


def as_object(sight: Sight, rows: Sequence[Row]) -> dict[str, Any]:
    """The list for `--json`."""
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
