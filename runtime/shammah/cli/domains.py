"""`shammah adapters domain` and `domains`: what adapters are for, and which of them suits a question."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shammah import config, times
from shammah.cli import complete
from shammah.cli.screen import say, tell
from shammah.cli.typed import clean, read_stdin
from shammah.errors import UsageError

if TYPE_CHECKING:
    from shammah.divergence import Embed
    from shammah.journal import Journal
    from shammah.records.adapters import Domain
    from shammah.settings import Settings

Name = Annotated[str, typer.Argument(metavar="NAME", help="The adapter's name.", autocompletion=complete.adapters)]
Questions = Annotated[
    Path | None, typer.Option("--questions", metavar="FILE", help="Make it of these, one a line; - reads stdin.")
]
Off = Annotated[bool, typer.Option("--off", help="Take the domain from the adapter.")]
Question = Annotated[str | None, typer.Argument(metavar="[QUESTION]", help="Tell which adapters would answer this.")]
Model = Annotated[
    str | None, typer.Option("--model", metavar="PATH", help="The GGUF that is served.", autocompletion=complete.models)
]

ONE_A_LINE = "Give a file with one question a line."
RESTING = 'They have no say yet: set adapters.domains = "nearest" (or "blend") in config.toml.'


def domain(name: Name, questions: Questions = None, off: Off = False) -> None:
    """Let an adapter answer the questions that are like those it has learnt, or like others that you give."""
    from shammah import adapters, tailoring
    from shammah.journal import Journal

    if off and questions is not None:
        raise UsageError("--off and --questions exclude each other", hint="Leave out one of the two.")
    settings = config.load()
    with Journal(settings.home) as journal:
        adapter = adapters.find(journal, name)
        if off:
            _untie(journal, name)
            return
        texts = [] if questions is None else _lines(questions)
        tied = tailoring.tie(journal, adapter, _embedder(settings, journal), texts)
        say(f"{name} answers what is like these {tied.questions} questions, from a cosine of {tied.reach:.2f} on.")
        if settings.adapters.domains == "off":
            say(RESTING)


def domains(question: Question = None, model: Model = None) -> None:
    """List what adapters are for; with a question, tell how near it is to each, and what would answer it."""
    from shammah.journal import Journal

    settings = config.load(model__path=model)
    with Journal(settings.home) as journal:
        found = journal.domains.all()
        if not found:
            say("No adapter has a domain; `shammah adapters domain NAME` gives it that of its examples.")
        elif question is None:
            tell("\n".join(f"{_head(one, found)}  {facts(one)}" for one in found))
        else:
            _tell(settings, journal, clean(question))
        if found and settings.adapters.domains == "off":
            say(RESTING)


def _tell(settings: "Settings", journal: "Journal", question: str) -> None:
    """How near a question is to each domain of the served model, and what would answer it."""
    from shammah import bases
    from shammah.tailoring import Tailor
    from shammah_convert.chat import Message

    base = bases.identify(journal, bases.wanted(settings), say).sha256
    embed = _embedder(settings, journal)
    found, vector = journal.domains.all(base), embed(question)
    for one in found:
        tell(f"{_head(one, found)}  {float(one.centroid @ vector):.2f}, {facts(one)}")
    way, least, messages = settings.adapters.domains, settings.adapters.min_similarity, [Message("user", question)]
    tailor = Tailor(journal, base, "nearest" if way == "off" else way, embed, least)
    chosen, active = tailor.by_domain(messages), journal.adapters.active(base)
    words = ", ".join(f"{name}:{scale:g}" for name, scale in tailor.suiting(messages))
    far = "near to nothing that was learnt" if active else "and nothing is active"
    by = "by its domain" if chosen else "active" if words else f"it is in no domain, {far}"
    where = ' with "nearest"' if way == "off" else ""
    say(f"Would answer{where}: {words or 'the bare model'} ({by}).")


def _untie(journal: "Journal", name: str) -> None:
    if not journal.domains.untie(name):
        raise UsageError(f"{name} has no domain", hint="See `shammah adapters domains`.")
    say(f"{name} has no domain any more.")


def _lines(file: Path) -> list[str]:
    """The questions of a file, one a line."""
    try:
        text = read_stdin() if str(file) == "-" else file.expanduser().read_text("utf-8", "replace")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", hint=ONE_A_LINE) from error
    found = [clean(line).strip() for line in text.splitlines() if line.strip()]
    if not found:
        raise UsageError(f"{file} holds no question", hint=ONE_A_LINE)
    return found


def _embedder(settings: "Settings", journal: "Journal") -> "Embed":
    """The embedder, made where its weights are on this machine.

    Raises:
        ModelMissing: They are not.
    """
    from shammah import catalog, embedding
    from shammah.assembly import Parts
    from shammah.errors import ModelMissing
    from shammah.hardware import BusyMeter

    embedding.prepare(settings.home)
    embed = Parts(settings, journal, BusyMeter(), say).embed
    if embed is None:
        source = catalog.embedder()
        files = f"{source.repository} {source.weights} {source.vocabulary} --revision {source.revision}"
        raise ModelMissing("the sentence embedder is not on this machine", hint=f"91 MB, once: hf download {files}")
    return embed


def _head(domain: "Domain", among: "list[Domain]") -> str:
    return f"{domain.adapter:<{max(len(one.adapter) for one in among)}}"


def facts(domain: "Domain") -> str:
    """From which cosine on a question belongs to it, and what it was made of."""
    return f"from {domain.reach:.2f} on, {domain.questions} questions, {times.to_day(domain.created)}"
