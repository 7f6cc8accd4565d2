"""Adapters of ours that a server still has, and that nobody is to be answered with any more, are taken out of it."""

import contextlib
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence

from shammah import adapters
from shammah.compatible import cards, wire
from shammah.compatible.events import NoEvents
from shammah.compatible.failing import failure
from shammah.compatible.loaded import Note, Notes
from shammah.compatible.looking import LOOK_SECONDS
from shammah.compatible.loras import name_of
from shammah.compatible.wire import Endpoint, Refused, Unreachable
from shammah.errors import ModelServerError, ShammahError
from shammah.journal import Journal
from shammah.settings import Settings


def at_opening(settings: Settings, journal: Journal, endpoint: Endpoint) -> None:
    """Take out of a server that was just opened what is wanted no more; where that fails, the next opening does it."""
    notes = Notes(settings.home)
    mine = [note for note in unwanted(settings, journal) if note.server == endpoint.url]
    with contextlib.suppress(ModelServerError):
        take_out(endpoint, mine, notes)


def everywhere(settings: Settings, journal: Journal, environ: Mapping[str, str]) -> Iterator[str]:
    """Take out of all servers what is wanted no more; what came of it, where anything was there, in words."""
    notes, left = Notes(settings.home), unwanted(settings, journal)
    for server in dict.fromkeys(note.server for note in left):
        mine = [note for note in left if note.server == server]
        try:
            take_out(_endpoint(server, settings, environ), mine, notes)
        except ShammahError as error:
            yield from _by_hand(server, mine, error)
        else:
            yield f"Taken out of {server}: {_count(mine)}. Its memory may hold what it had until it ends."


def unwanted(settings: Settings, journal: Journal) -> list[Note]:
    """What servers were given, and is neither active nor, where domains choose, made of adapters that are here."""
    every = list(Notes(settings.home).all())
    if not every:  # as nearly always
        return []
    known = journal.adapters.all()
    hashes, bases = {adapter.sha256 for adapter in known}, {adapter.base for adapter in known}
    active = {name_of(adapters.active_files(journal, base)) for base in bases}
    may_suit = settings.adapters.domains != "off"
    return [note for note in every if not (note.name in active or (may_suit and hashes.issuperset(note.files)))]


def take_out(endpoint: Endpoint, notes: Sequence[Note], kept: Notes) -> None:
    """Let a server forget what it was given.

    Raises:
        ModelServerError: It does not; what it has forgotten by then, it has.
    """
    for note in notes:
        body = {"lora_name": note.name}
        try:
            url = endpoint.at("unload_lora_adapter")
            wire.request(endpoint, "POST", url, body, timeout_seconds=LOOK_SECONDS, is_json=False)
        except Refused as error:
            if error.status != 404 and "cannot be found" not in str(error.body):  # else it was started anew
                raise failure(error, endpoint.url) from error
        except (Unreachable, NoEvents) as error:
            raise failure(error, endpoint.url) from error
        kept.drop(note)


def _endpoint(server: str, settings: Settings, environ: Mapping[str, str]) -> Endpoint:
    """Where a server is; the key is for the one that is set now.

    Raises:
        StaysHere: It is another machine, and nothing may leave this one.
    """
    is_set = settings.model.server.rstrip("/") == server
    return cards.endpoint(server, settings.offline, environ if is_set else {})


def _by_hand(server: str, notes: Sequence[Note], error: ShammahError) -> Iterator[str]:
    yield f"{server} may still have {_count(notes)} ({error}). The next question that it answers takes that out of it."
    yield "Ending it does so at once, and so does, where it can be reached:"
    for note in notes:
        body = shlex.quote(json.dumps({"lora_name": note.name}))
        yield f"  curl {server}/unload_lora_adapter -H 'Content-Type: application/json' -d {body}"


def _count(notes: Sequence[Note]) -> str:
    return (
        "an adapter that is not active any more"
        if len(notes) == 1
        else f"{len(notes)} adapters that are not active any more"
    )
