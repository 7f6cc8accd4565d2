"""How a model that a server runs is opened: the server is looked at, and what may go there is settled."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from shammah import exchange
from shammah.compatible import cards, looking
from shammah.compatible.gate import Gate
from shammah.compatible.model import ServerModel
from shammah.config import Settings
from shammah.errors import NotServed
from shammah.proxies import is_here
from shammah.records import Base
from shammah_convert.job import AdapterFile


def server_of(base: Base, settings: Settings) -> str:
    """The address of the server that runs a base; empty where it is opened on this machine."""
    file = Path(base.path)
    if cards.is_card(file):
        return cards.read(file).server
    is_chosen = bool(settings.model.path) and base.path == str(Path(settings.model.path).expanduser().absolute())
    return settings.model.server if is_chosen else ""


def is_away(server: str) -> bool:
    """Whether a server is another machine."""
    return bool(server) and not is_here(server)


def open_served(
    base: Base, server: str, settings: Settings, limit_tokens: int, environ: Mapping[str, str]
) -> ServerModel:
    """The model on a server.

    Raises:
        ModelServerError: It does not answer, or runs another model by now.
    """
    gate = Gate(is_away(server), settings.offline, settings.privacy.never_forward)
    found = _looked_at(Path(base.path), server, settings, environ)

    def export(files: Sequence[AdapterFile], folder: Path) -> None:
        exchange.write_sum(files, base, folder)

    return ServerModel(found, gate, limit_tokens, settings.home / "cache" / "peft", export)


def _looked_at(file: Path, server: str, settings: Settings, environ: Mapping[str, str]) -> looking.Server:
    endpoint = cards.endpoint(server, environ)
    if not cards.is_card(file):
        return looking.look(endpoint, settings.model.served_as)
    try:
        return looking.look(endpoint, cards.read(file).model)
    except NotServed as error:
        file.unlink(missing_ok=True)
        words = "What it runs now counts as another model: ask again, or name one with `model.served_as`."
        raise NotServed(str(error), hint=words) from error
