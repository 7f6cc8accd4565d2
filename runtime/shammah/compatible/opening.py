"""How a model that a server runs is opened: the server is looked at, and what may go there is settled."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from shammah import bases, exchange
from shammah.compatible import cards, looking
from shammah.compatible.gate import Gate
from shammah.compatible.model import ServerModel
from shammah.config import with_model
from shammah.errors import ModelMissing, NotServed
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
        ModelServerError: It does not answer, or runs another model by now.
        StaysHere: It is another machine, and nothing may leave this one.
    """
    gate = Gate(is_away(server), settings.offline, settings.privacy.never_forward)
    found = _looked_at(Path(base.path), server, settings, environ)
    # Ollama cuts a longer prompt without a word, at a length that its API does not tell.
    is_silent = found.kind == "ollama" and not settings.model.context_tokens
    limit = min(limit_tokens, OLLAMA_TOKENS) if is_silent else limit_tokens

    def export(files: Sequence[AdapterFile], folder: Path) -> None:
        exchange.write_sum(files, base, folder)

    return ServerModel(found, gate, limit, settings.home / "cache" / "peft", export)


def _looked_at(file: Path, server: str, settings: Settings, environ: Mapping[str, str]) -> looking.Server:
    endpoint = cards.endpoint(server, settings.offline, environ)
    if not cards.is_card(file):
        return looking.look(endpoint, settings.model.served_as)
    try:
        return looking.look(endpoint, cards.read(file).model)
    except NotServed as error:
        cards.write(file, cards.Card(server, looking.look(endpoint, settings.model.served_as).model))
        words = "What it runs now counts as another model: ask again, or name one with `model.served_as`."
        raise NotServed(str(error), hint=words) from error
