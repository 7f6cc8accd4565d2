"""How a model that a server runs is opened: the server is looked at, and what may go there is settled."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shammah import bases, exchange
from shammah.compatible import cards, looking, matching
from shammah.compatible.gate import Gate
from shammah.compatible.identity import Identity
from shammah.compatible.loaded import Note, Notes
from shammah.compatible.loras import Shelf
from shammah.compatible.model import ServerModel
from shammah.compatible.watch import Watch
from shammah.config import with_model
from shammah.errors import ModelMissing, NotServed, ServedAnew
from shammah.proxies import is_here
from shammah.records.bases import Base
from shammah.settings import Settings
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


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model runs: a server, which is to run what a card says, or what a file holds.

    Attributes:
        say: Hears of what is doubtful there.
    """

    base: Base
    server: str
    settings: Settings
    environ: Mapping[str, str]
    say: Callable[[str], None] = lambda _: None

    @property
    def file(self) -> Path:
        """The base's."""
        return Path(self.base.path)

    def look(self, known: Identity | None = None) -> looking.Server:
        """What the server runs; a card of another model than that is written anew.

        Args:
            known: What it ran when it was looked at first; None takes the card's word, or the file's.

        Raises:
            ServedAnew: It runs another model than that.
            ModelServerError: It does not answer; `NotServed` where it has no model of the name that the settings want,
                or none that may be the file.
        """
        if known is None and cards.is_card(self.file):
            known = cards.read(self.file).identity
        found = self._found(known)
        if known is None:
            self._compare(found.identity)
        elif known.differs(found.identity):
            raise self._anew(found.identity, known)
        return found

    def _found(self, known: Identity | None) -> looking.Server:
        """The model that was known; the one that the settings want where that is gone."""
        endpoint = cards.endpoint(self.server, self.settings.offline, self.environ)
        wanted = self.settings.model.served_as
        if known is not None and known.name != wanted:
            with contextlib.suppress(NotServed):
                return looking.look(endpoint, known.name)
        return looking.look(endpoint, wanted)

    def _compare(self, found: Identity) -> None:
        """Compare what runs with the file, where its server tells enough."""
        note = cards.place_of(self.settings).with_suffix("").with_suffix(matching.SUFFIX)
        for line in matching.compare(self.server, found, self.base, note):
            self.say(line)

    def _anew(self, found: Identity, known: Identity) -> ServedAnew:
        words = f"{self.server} runs {found.beside(known)} now, in the place of {known.beside(found)}"
        if not cards.is_card(self.file):  # what it is then is looked at when it is opened again
            return ServedAnew(words, hint=f"Ask again, where that is {self.file}, too. {matching.LEAVE}")
        cards.write(self.file, cards.Card(self.server, found))
        return ServedAnew(f"{words}: it counts as another model, with a router, a validator and adapters of its own")


def open_served(place: Place, limit_tokens: int) -> ServerModel:
    """The model on a server.

    Raises:
        ModelServerError: It does not answer; `NotServed` where it runs another model by now.
        StaysHere: It is another machine, and nothing may leave this one.
    """
    server, settings = place.server, place.settings
    gate = Gate(is_away(server), settings.offline, settings.privacy.never_forward)
    found = place.look()
    # Ollama cuts a longer prompt without a word, at a length that its API does not tell.
    is_silent = found.kind == "ollama" and not settings.model.context_tokens
    limit = min(limit_tokens, OLLAMA_TOKENS) if is_silent else limit_tokens

    def export(files: Sequence[AdapterFile], folder: Path) -> None:
        exchange.write_sum(files, place.base, folder)

    def remember(name: str, files: Sequence[AdapterFile]) -> None:
        Notes(settings.home).keep(Note(found.endpoint.url, name, tuple(file.sha256 for file in files)))

    shelf = Shelf(settings.home / "cache" / "peft", export, remember)
    return ServerModel(found, gate, limit, shelf, Watch(lambda: place.look(found.identity)))
