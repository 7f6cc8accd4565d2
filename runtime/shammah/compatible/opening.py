"""How a model that a server runs is opened: the server is looked at, and what may go there is settled."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shammah import bases, exchange
from shammah.compatible import cards, looking
from shammah.compatible.gate import Gate
from shammah.compatible.identity import Identity
from shammah.compatible.loras import Shelf
from shammah.compatible.model import ServerModel
from shammah.compatible.watch import Watch
from shammah.config import Settings, with_model
from shammah.errors import ModelMissing, NotServed, ServedAnew
from shammah.proxies import is_here
from shammah.records import Base
from shammah_convert.job import AdapterFile

OLLAMA_TOKENS = 2048


def server_of(base: Base, settings: Settings) -> str:
    """The address of the server that runs a base, by these settings; empty where it is opened on this machine.

    Raises:
        NotServed: It is the model of a server that the settings do not name, or not any more.
    """
    chosen, file = settings.model, Path(base.path)
    if not cards.is_card(file):
        return chosen.server.rstrip("/") if chosen.path and _is_chosen(file, chosen.path) else ""
    server = cards.read(file).server
    if chosen.server.rstrip("/") != server:
        raise NotServed(
            f"{base.name} runs at {server}, which is not asked any more", hint=f"shammah models use {server}"
        )
    return server


def settings_for(base: Base, settings: Settings) -> Settings:
    """The settings under which a recorded base is opened: where a server runs it, there.

    Raises:
        NotServed: It is the model of a server that the settings do not name, or not any more.
    """
    if cards.is_card(Path(base.path)) and Path(base.path) == cards.place_of(settings):
        return settings
    if server_of(base, settings):
        name = cards.read(Path(base.path)).model if cards.is_card(Path(base.path)) else settings.model.served_as
        return replace(settings, model=replace(settings.model, served_as=name))
    return settings if _is_chosen(Path(base.path), settings.model.path) else with_model(settings, base.path)


def _is_chosen(file: Path, path: str) -> bool:
    """Whether a setting names a file: by its path, or as `shammah models list` calls it."""
    try:
        return bases.resolve(path) == file
    except ModelMissing:
        return False


def is_away(server: str) -> bool:
    """Whether a server is another machine."""
    return bool(server) and not is_here(server)


def open_served(
    base: Base, server: str, settings: Settings, limit_tokens: int, environ: Mapping[str, str]
) -> ServerModel:
    """The model on a server.

    Raises:
        ModelServerError: It does not answer; `NotServed` where it runs another model by now.
        StaysHere: It is another machine, and nothing may leave this one.
    """
    gate = Gate(is_away(server), settings.offline, settings.privacy.never_forward)
    place = Place(Path(base.path), server, settings, environ)
    found = place.look()
    # Ollama cuts a longer prompt without a word, at a length that its API does not tell.
    is_silent = found.kind == "ollama" and not settings.model.context_tokens
    limit = min(limit_tokens, OLLAMA_TOKENS) if is_silent else limit_tokens

    def export(files: Sequence[AdapterFile], folder: Path) -> None:
        exchange.write_sum(files, base, folder)

    shelf = Shelf(settings.home / "cache" / "peft", export)
    return ServerModel(found, gate, limit, shelf, Watch(lambda: place.look(found.identity)))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model runs: a server, which is to run what a card says, or what a file holds."""

    file: Path
    server: str
    settings: Settings
    environ: Mapping[str, str]

    def look(self, known: Identity | None = None) -> looking.Server:
        """What the server runs; a card of another model than that is written anew.

        Args:
            known: What it ran when it was looked at first; None takes the card's word.

        Raises:
            ServedAnew: It runs another model than that.
            ModelServerError: It does not answer; `NotServed` where it has no model of the name that the settings want.
        """
        if known is None and cards.is_card(self.file):
            known = cards.read(self.file).identity
        found = self._found(known)
        if known is None or not known.differs(found.identity):
            return found
        if cards.is_card(self.file):
            cards.write(self.file, cards.Card(self.server, found.identity))
        now, before = found.identity.beside(known), known.beside(found.identity)
        raise ServedAnew(f"{self.server} runs {now} now, in the place of {before}")

    def _found(self, known: Identity | None) -> looking.Server:
        """The model that was known; the one that the settings want where that is gone."""
        endpoint = cards.endpoint(self.server, self.settings.offline, self.environ)
        wanted = self.settings.model.served_as
        if known is not None and known.name != wanted:
            with contextlib.suppress(NotServed):
                return looking.look(endpoint, known.name)
        return looking.look(endpoint, wanted)
