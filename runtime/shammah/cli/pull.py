"""`shammah models pull`: a model of the hub comes to this machine."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shammah import config
from shammah.amounts import gigabytes
from shammah.cli import complete
from shammah.cli.screen import harmless, say, write
from shammah.errors import DownloadFailed, LicenceNotAgreed, ModelTooLarge, UsageError
from shammah.settings import Settings

if TYPE_CHECKING:
    from shammah.journal import Journal
    from shammah.model_names import Wanted
    from shammah.pulling import Plan

Name = Annotated[
    str,
    typer.Argument(
        metavar="[NAME]",
        help="Of the list, or hf:OWNER/REPOSITORY:QUANT; what fits this machine.",
        autocompletion=complete.pullable,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Agree to the licence unasked.")]
Force = Annotated[bool, typer.Option("--force", help="Also where it is too large for this machine.")]

# A line for a log, where there is no bar.
STEP_PERCENT = 10
WATCH_SECONDS = 0.5


def pull(name: Name = "", yes: Yes = False, force: Force = False) -> None:
    """Fetch a model into the Hugging Face cache; a pull that was cut off goes on where it stopped."""
    from shammah import fetching, pulling
    from shammah.journal import Journal

    settings = config.load()
    if settings.offline:
        raise DownloadFailed("nothing is downloaded in offline mode", hint="Set `offline = false`, then pull again.")
    with Journal(settings.home) as journal:
        wanted = _wanted(settings, name, force)
        awaited = journal.pulls.open_one()
        if awaited is not None and awaited.spec == wanted.name and fetching.is_running(settings.home):
            _watch(journal, awaited.title)
            return
        plan = pulling.plan(wanted)
        _check_size(settings, plan, force)
        say(f"{wanted.title}: {gigabytes(plan.size_bytes)}, licence {plan.licence}")
        _agree(plan, yes)
        path = _fetch(plan)
        base = pulling.take_in(journal, path, say)
        if awaited is not None and awaited.spec == wanted.name:
            journal.pulls.cancel(awaited)
        if settings.model.path:
            say(f"{base.name} is here: shammah models use {wanted.name}")
        else:
            pulling.use(settings.home, path)
            say(f"{base.name} is here, and answers from the next question on.")
    if not sys.stdout.isatty():
        write(str(path))


def _wanted(settings: Settings, name: str, force: bool) -> "Wanted":
    """What was asked for, else what fits."""
    from shammah import catalog, fitting, model_names
    from shammah.cli.model_list import context_of, machine

    if name and not model_names.is_name(name) and Path(name).expanduser().exists():
        raise UsageError(f"{name} is on this machine already", hint=f"Let it answer: shammah models use {name}")
    if name:
        return model_names.wanted(name)
    here = machine()
    proposal = fitting.propose(catalog.models(), here, context_of(settings))
    model = proposal.by_size if force else proposal.model
    need = fitting.need_of(proposal.by_size, context_of(settings))
    if model is None:
        raise ModelTooLarge(
            f"no model fits into what is free now, {gigabytes(here.available_bytes)}; {proposal.by_size.title}"
            f" for a {here.nominal_gb} GB machine takes {need.in_words}",
            hint="Close other programs, name a model, or --force.",
        )
    if model is not proposal.by_size:
        say(f"{proposal.by_size.title} would suit {here.nominal_gb} GB of RAM: {need.in_words}.")
        say(f"Free are {gigabytes(here.available_bytes)}, so: {model.title}. --force takes the larger one.")
    return model_names.wanted(model.name)


def _check_size(settings: Settings, plan: "Plan", force: bool) -> None:
    """Refuse what can never run here; say what cannot run now."""
    from shammah import fitting
    from shammah.cli.model_list import context_of, machine

    model = plan.wanted.model
    if model is None:  # its shape is not known before it is here
        return
    here, need = machine(), fitting.need(plan.size_bytes, model.shape, context_of(settings))
    if not (force or fitting.fits_ever(need, here)):
        raise ModelTooLarge(f"{model.title} is too large for {gigabytes(here.ram_bytes)} of RAM: {need.in_words}")
    if not fitting.fits_now(need, here):
        say(f"{model.title} {fitting.verdict(need, here)}: {need.in_words}.")


def _agree(plan: "Plan", yes: bool) -> None:
    """Have a licence that is not Apache-2.0 agreed to.

    Raises:
        LicenceNotAgreed: It was not, or there is nobody to ask.
    """
    if plan.is_free:
        return
    say(f"The licence {plan.licence} may forbid some uses; read it: {plan.licence_url}")
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise LicenceNotAgreed(f"nobody is there to agree to the licence {plan.licence}")
    if not asked("Do you agree to it? [y/N] ", default=False):
        raise LicenceNotAgreed(f"{plan.wanted.title} is not fetched")


def asked(question: str, default: bool) -> bool:
    """Ask on the terminal; an empty line is the default. What is no answer is asked again once, and is then a no.

    Raises:
        EOFError: There was no answer.
    """
    answers = {"": default, "y": True, "yes": True, "n": False, "no": False}
    word = _heard(question)
    if word not in answers:
        word = _heard(f"Please answer yes or no. {question}")
    return answers.get(word, False)


def _heard(question: str) -> str:
    print(harmless(question), end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.strip().lower()


def _fetch(plan: "Plan") -> Path:
    from shammah import pulling

    with progress(plan.wanted.title, plan.size_bytes) as hear:
        try:
            return pulling.fetch(plan, hear)
        except KeyboardInterrupt:
            say(f"Stopped; `shammah models pull {plan.wanted.name}` goes on where it was.")
            raise


def _watch(journal: "Journal", title: str) -> None:
    """Show how far the background is; Ctrl-C ends the watching alone."""
    awaited = journal.pulls.open_one()
    say(f"{title} is being fetched in the background; Ctrl-C leaves it to itself.")
    with progress(title, awaited.bytes if awaited else 1) as hear:
        while awaited is not None and awaited.error is None:
            hear(awaited.done_bytes)
            time.sleep(WATCH_SECONDS)
            awaited = journal.pulls.open_one()
    if awaited is not None:
        say(f"{title} waits: {awaited.error}. It is tried again by itself.")
    for notice in journal.notices.take():
        say(notice)


@contextlib.contextmanager
def progress(title: str, size_bytes: int) -> Iterator[Callable[[int], None]]:
    """Show how many bytes are there: a bar on a terminal, a line at each tenth elsewhere."""
    if not sys.stderr.isatty():
        yield _lines(title, size_bytes)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=None), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=size_bytes)
        yield lambda done: bar.update(task, completed=done)


def _lines(title: str, size_bytes: int) -> Callable[[int], None]:
    said = 0

    def hear(done_bytes: int) -> None:
        nonlocal said
        percent = 100 * done_bytes // max(1, size_bytes)
        if percent >= said + STEP_PERCENT:
            said = percent - percent % STEP_PERCENT
            say(f"{title}: {said}% of {gigabytes(size_bytes)}")

    return hear
