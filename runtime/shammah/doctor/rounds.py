"""The rounds: everything is looked at once, from the machine to what was learnt."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from shammah import bases
from shammah.assembly import DEFAULT_CONTEXT_TOKENS
from shammah.doctor import checks, facts, look
from shammah.doctor.finding import Finding
from shammah.errors import ShammahError
from shammah.journal import Journal
from shammah.settings import Settings


def examine(environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Look at all there is, and say what each thing means, one after the other."""
    yield checks.machine(look.machine())
    file, settings = look.settings(environ)
    yield checks.settings(file)
    yield checks.disk(look.disk(settings.home))
    database = look.journal(settings.home / "shammah.db")
    yield checks.journal(database)
    with _opened(database, settings.home) as journal:
        limit = settings.model.context_tokens or DEFAULT_CONTEXT_TOKENS
        yield checks.engine(look.engine())
        if settings.model.server:
            yield checks.server(look.server(settings, environ))
        if settings.model.path or not settings.model.server:
            yield checks.model(look.model(settings, journal, limit, environ))
        yield checks.key(look.key(settings, environ))
        yield from checks.extras(look.extras(settings, environ))
        if journal is not None:
            yield from _of_journal(settings, journal)


def _of_journal(settings: Settings, journal: Journal) -> Iterator[Finding]:
    """What only a sound journal tells."""
    yield from checks.outage(look.outage(settings, journal))
    yield checks.budget(look.budget(settings, journal))
    base = _base(settings, journal)
    if base:
        yield checks.adapters(look.active(journal, base))
    yield checks.work(look.work(settings, journal))


def _base(settings: Settings, journal: Journal) -> str:
    """The hash of the model that answers, where that is recorded."""
    try:
        known = bases.known(journal, bases.wanted(settings))
    except ShammahError:
        return ""
    return known.sha256 if known else ""


@contextlib.contextmanager
def _opened(seen: facts.Journal, home: Path) -> Iterator[Journal | None]:
    """The journal, where it is sound and up to date: opening it changes nothing then."""
    is_sound = seen.exists and not seen.error and not seen.faults and seen.schema == seen.newest_schema
    if not is_sound:
        yield None
        return
    with Journal(home) as journal:
        yield journal
