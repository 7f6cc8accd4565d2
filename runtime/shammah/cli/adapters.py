"""`shammah adapters`: what was learnt, and what of it answers."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shammah import adapter_facts, config, times
from shammah.cli import complete, domains, exchange, lineage
from shammah.cli import report as report_command
from shammah.cli.log import shorten
from shammah.cli.screen import say, tell, write
from shammah.cli.unload import unload
from shammah.errors import UsageError

if TYPE_CHECKING:
    from shammah.generation import ActiveSet
    from shammah.journal import Journal
    from shammah.records.adapters import Adapter

app = typer.Typer(help="Show and choose the adapters: what the local model has learnt.", no_args_is_help=True)
app.command("report")(report_command.report)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The adapter's name.", autocompletion=complete.adapters)]
New = Annotated[str, typer.Argument(metavar="NEW", help="What to call it: letters, digits, dots, dashes, underscores.")]
Names = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME[:SCALE]...|none", help="What is to be applied, in order.", autocompletion=complete.adapters
    ),
]
Model = Annotated[
    str | None, typer.Option("--model", metavar="PATH", help="The GGUF that is served.", autocompletion=complete.models)
]
AsTree = Annotated[bool, typer.Option("--tree", help="Draw each below what was active when it was trained.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A LoRA GGUF that was trained on the served model.")]


@app.command("list")
def list_adapters(as_tree: AsTree = False, as_json: AsJson = False) -> None:
    """List the adapters, oldest first: name, state, examples, scores, model."""
    from shammah.journal import Journal

    if as_tree and as_json:
        raise UsageError("--tree and --json exclude each other", hint="Leave out one; JSON has the parents, too.")
    with Journal(config.load().home) as journal:
        found = journal.adapters.all()
        if as_json:
            write(json.dumps([adapter_facts.as_object(journal, adapter) for adapter in found]))
        elif not found:
            say("There are no adapters yet: correct answers with `shammah feedback`, then `shammah train`.")
        else:
            write("\n".join((lineage.drawn if as_tree else lineage.listed)(journal, found)))


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show one adapter: its file, what it was trained from and after, and how well it did."""
    from shammah import adapters
    from shammah.journal import Journal

    with Journal(config.load().home) as journal:
        adapter = adapters.find(journal, name)
        row = adapter_facts.as_object(journal, adapter)
        if as_json:
            write(json.dumps(row))
        else:
            tell("\n".join(_described(journal, adapter)))


def _described(journal: "Journal", adapter: "Adapter") -> list[str]:
    from shammah.lineage import family

    lines = [
        f"{adapter.name}  {times.to_second(adapter.created)}",
        f"state   {adapter_facts.state(journal, adapter)}",
        f"base    {adapter_facts.base_name(journal, adapter.base)} ({adapter.base[:12]})",
        f"file    {adapter.path}",
        f"sha256  {adapter.sha256}",
        f"from    {_origin(adapter)}, after {adapter.parent or 'the bare base'}",
        *_domain(journal, adapter),
        *_watched(journal, adapter),
        *(f"{score:<16} {value:.4f}" for score, value in adapter.scores.items()),
        "lineage",
        *lineage.drawn(journal, family(adapter, journal.adapters.all()), adapter, indent="  "),
    ]
    for id in journal.adapters.examples(adapter):
        kept = journal.examples.find(id)
        words = kept.example.prompt[-1].content if kept else "(gone)"
        lines.append(f"example {id}  {shorten(words, 20)}")
    return lines


@app.command()
def use(names: Names, model: Model = None) -> None:
    """Apply these adapters from the next answer on, in every running process; `none` applies no adapter."""
    from shammah import adapters, bases, naming
    from shammah.journal import Journal

    settings = config.load(model__path=model)
    with Journal(settings.home) as journal:
        served = bases.identify(journal, bases.wanted(settings), say).sha256
        is_none = names == [naming.NO_ADAPTER]
        if naming.NO_ADAPTER in names and not is_none:
            raise UsageError("`none` stands alone", hint="Give `none`, or the adapters that are to be applied.")
        base, active = (served, ()) if is_none else adapters.parse_set(journal, names)
        if not journal.adapters.activate(base, active, "use"):
            raise UsageError("an adapter was deleted meanwhile", hint="See `shammah adapters list`.")
        when = "from the next answer on" if base == served else "whenever its model answers, which is another one now"
        say(f"Applied {when}: {_words(active)}.")
        unload(settings, journal)


@app.command()
def load(file: File, model: Model = None) -> None:
    """Check a LoRA GGUF that was trained on the served model, and take it in; `use` applies it."""
    from shammah import adapters, bases
    from shammah.journal import Journal

    settings = config.load(model__path=model)
    with Journal(settings.home) as journal:
        base = bases.identify(journal, bases.wanted(settings), say)
        adapter = adapters.install(settings.home, file.expanduser(), base)
        adapter = adapters.record(journal, adapter)
        say(f"{adapter.name} is here; apply it with `shammah adapters use {adapter.name}`.")


@app.command()
def delete(name: Name) -> None:
    """Delete an adapter and its file; not one that is active."""
    from shammah import adapters
    from shammah.journal import Journal

    settings = config.load()
    with Journal(settings.home) as journal:
        adapter = adapters.find(journal, name)
        if not journal.adapters.delete(adapter):
            raise UsageError(f"{name} is active", hint="First choose another: shammah adapters use NAME, or none.")
        Path(adapter.path).unlink(missing_ok=True)
        say(f"{name} is deleted.")
        unload(settings, journal)


@app.command()
def rename(name: Name, new: New) -> None:
    """Call an adapter otherwise, in history too; running processes take the new name over with their next answer."""
    from shammah import adapters, naming
    from shammah.journal import Journal

    with Journal(config.load().home) as journal:
        naming.rename(journal, adapters.find(journal, name), new)
        say(f"{name} is called {new} now.")


@app.command()
def rollback(model: Model = None) -> None:
    """Go back to what was active before; again goes back further."""
    from shammah import bases
    from shammah.journal import Journal

    settings = config.load(model__path=model)
    with Journal(settings.home) as journal:
        base = bases.identify(journal, bases.wanted(settings))
        active = journal.adapters.roll_back(base.sha256)
        if active is None:
            raise UsageError("nothing was active before", hint="See `shammah adapters list`.")
        say(f"Applied from the next answer on: {_words(active)}.")
        unload(settings, journal)


app.command("domain")(domains.domain)
app.command("domains")(domains.domains)
app.command("import")(exchange.take_in)
app.command("export")(exchange.export)


def _origin(adapter: "Adapter") -> str:
    return f"training {adapter.training}" if adapter.training else "a file"


def _domain(journal: "Journal", adapter: "Adapter") -> list[str]:
    domain = journal.domains.of(adapter.name)
    return [] if domain is None else [f"domain  {domains.facts(domain)}"]


def _watched(journal: "Journal", adapter: "Adapter") -> list[str]:
    """How the answers of an adapter turned out, where they are watched or were."""
    from shammah import watching

    watched = journal.watch.promotion(adapter.base)
    if watched is not None and any(name == adapter.name for name, _ in watched.active):
        return [f"watch   {watching.numbers(journal.watch.judged(watched))}"]
    why = journal.watch.taken_back(adapter)
    return [f"watch   rolled back: {why}"] if why else []


def _words(active: "ActiveSet") -> str:
    return ", ".join(f"{name}:{scale:g}" for name, scale in active) or "the bare model, no adapter"
