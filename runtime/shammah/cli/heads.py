"""`shammah heads`: what router and validator have learnt, and how they begin anew."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from shammah import config
from shammah.cli import complete, files
from shammah.cli.screen import say, tell, write
from shammah.errors import NothingLearnt, OnnxMissing

if TYPE_CHECKING:
    from shammah.assembly import Parts
    from shammah.heads import Head
    from shammah.records.heads import Fit

HeadWord = Literal["router", "validator"]
SHOWN_WEIGHTS = 6

app = typer.Typer(help="Show, re-fit, reset and export router and validator.", no_args_is_help=True)

Model = Annotated[
    str | None,
    typer.Option("--model", metavar="PATH", help="The GGUF whose heads are meant.", autocompletion=complete.models),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]
Which = Annotated[HeadWord | None, typer.Argument(metavar="[router|validator]", help="Only this one.")]
All = Annotated[bool, typer.Option("--all", help="Also the lessons that a reset or a rollback left out.")]
OnnxFile = Annotated[Path, typer.Option("--onnx", metavar="FILE", help="Where the graph is written.")]
One = Annotated[HeadWord, typer.Option("--head", help="Which head.")]


@app.command()
def show(model: Model = None, as_json: AsJson = False) -> None:
    """Show both heads: lessons, losses when they were last re-fitted, and the features that weigh most."""
    from shammah.sight import HEAD_NAMES

    with _parts(model) as parts:
        facts = {name: _facts(parts, name) for name in HEAD_NAMES}
        if as_json:
            write(json.dumps({"base": parts.base.name, "lineage": parts.base.sha256} | facts))
            return
        tell("\n\n".join([f"base {parts.base.name} ({parts.base.sha256[:12]})", *map(_paragraph, facts.values())]))


@app.command()
def refit(which: Which = None, all_lessons: All = False, model: Model = None, as_json: AsJson = False) -> None:
    """Learn every lesson of the journal again, from nothing; the loss of what was said before each lesson is shown."""
    with _parts(model) as parts:
        fits = {}
        for name in _chosen(which):
            if all_lessons:
                parts.heads.learn_all(name)
            fits[name] = parts.heads.refit(name, parts.embed)
        if as_json:
            write(json.dumps({name: _fit(fit) for name, fit in fits.items()}))
            return
        tell("\n".join(f"{name:<10} {_fit_in_words(fit)}" for name, fit in fits.items()))


@app.command()
def reset(which: Which = None, model: Model = None) -> None:
    """Let the heads begin anew with the next lesson; what they knew is set aside, and no lesson is deleted."""
    with _parts(model) as parts:
        for name in _chosen(which):
            aside = parts.heads.reset(name)
            say(f"The {name} begins anew. {f'It was set aside as {aside}.' if aside else 'It had learnt nothing yet.'}")
        say("Every lesson is still in the journal: `shammah heads refit --all` learns them again.")


@app.command()
def export(onnx: OnnxFile, head: One = "router", model: Model = None, force: files.Force = False) -> None:
    """Write a head as an ONNX graph, whose output in onnxruntime is its own to 1e-6."""
    try:
        from shammah import head_graph
    except ModuleNotFoundError as error:
        raise OnnxMissing(f"an ONNX file needs the package {error.name!r}") from error

    with _parts(model) as parts:
        opened = parts.heads.look(head)
        if not opened.lessons:
            raise NothingLearnt(f"the {head} has taken in no lesson yet")
        with files.writing(onnx, force) as target:
            head_graph.write(opened, head, target)
        say(f"The {head}, after {_lessons(opened.lessons)}, is in {onnx}.")


@contextlib.contextmanager
def _parts(model: str | None) -> "Iterator[Parts]":
    from shammah.assembly import Parts
    from shammah.hardware import BusyMeter
    from shammah.journal import Journal

    settings = config.load(model__path=model)
    with Journal(settings.home) as journal:
        yield Parts(settings, journal, BusyMeter(), say)


def _chosen(which: HeadWord | None) -> Sequence[HeadWord]:
    return ("router", "validator") if which is None else (which,)


def _facts(parts: "Parts", name: HeadWord) -> dict[str, Any]:
    """What there is to know of a head."""
    head, lineage = parts.heads.look(name), parts.base.sha256
    fit, view = parts.journal.heads.last_fit(lineage, name), parts.journal.heads.view(lineage, name)
    adoption = parts.journal.heads.adoption(lineage) if view.inherits else None
    return {
        "head": name,
        "kind": head.learner.kind,
        "trees": 0 if head.forest is None else len(head.forest.roots),
        "feature_version": head.version,
        "lessons": head.lessons,
        "with_embedding": head.with_embedding,
        "last_lesson": head.cursor,
        "spans": [list(span) for span in view.spans],
        "inherits_until": adoption.until if adoption else None,
        "will_inherit": view.inherits and parts.journal.heads.may_adopt(lineage),
        "file": str(parts.heads.file(name)),
        "last_refit": _fit(fit) if fit else None,
        "weights": _weights(head, name),
    }


def _weights(head: "Head", name: HeadWord) -> dict[str, float]:
    """By how many nats a unit of each hand feature moves the logit, trees apart, the heaviest first."""
    from shammah.sight import names_of

    if not head.lessons:
        return {}
    part = 1.0 if head.forest is None else 0.5  # the other half is the trees'
    weights = (part * head.prior.hand * head.learner.weights[: head.hand_width]).tolist()
    named = zip(names_of(name), weights, strict=True)
    return dict(sorted(named, key=lambda pair: -abs(pair[1])))


def _paragraph(facts: dict[str, Any]) -> str:
    heaviest = list(facts["weights"].items())[:SHOWN_WEIGHTS]
    left_out = " Some lessons are left out: `shammah heads refit --all` takes them in." * (
        facts["spans"] != [[0, None]]
    )
    trees = f" and {facts['trees']} trees" if facts["trees"] else ""
    lines = [
        f"{facts['head']}  {facts['kind']}{trees}, feature version {facts['feature_version']}",
        f"  {_lessons(facts['lessons'])}, {facts['with_embedding']} with an embedding.{left_out}",
        f"  last re-fit: {_in_words(facts['last_refit'])}",
        f"  heaviest: {', '.join(f'{name} {weight:+.3f}' for name, weight in heaviest) or 'nothing yet'}",
        f"  {facts['file']}",
    ]
    if facts["inherits_until"] is not None:
        lines.insert(2, "  It started from the lessons of earlier models, at weight 0.2.")
    if facts["will_inherit"]:
        lines.insert(2, "  With its first question it starts from the lessons of earlier models, at weight 0.2.")
    return "\n".join(lines)


def _fit(fit: "Fit") -> dict[str, Any]:
    return {"lessons": fit.lessons, "early_loss": fit.early_loss, "late_loss": fit.late_loss}


def _fit_in_words(fit: "Fit") -> str:
    return _in_words(_fit(fit))


def _in_words(fit: dict[str, Any] | None) -> str:
    if fit is None:
        return "never"
    losses = "no loss yet" if fit["early_loss"] is None else f"loss {fit['early_loss']:.3f} -> {fit['late_loss']:.3f}"
    return f"{_lessons(fit['lessons'])}, {losses}"


def _lessons(count: int) -> str:
    return f"{count} lesson{'s' * (count != 1)}"
