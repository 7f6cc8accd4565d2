"""A model that a server runs, as a file of ours: a card with its name, which everything else takes for the model.

What was learnt counts for a base, and a base is a file; of a served model there may be none here. Its card says where
it runs and what is told of it there; its hash is of the latter alone, so that a server may have another address.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shammah.compatible.identity import Identity
from shammah.errors import BadModel, ConfigError, StaysHere
from shammah.proxies import is_here
from shammah.settings import Settings
from shammah_convert.files import write_whole

if TYPE_CHECKING:
    from shammah.compatible.wire import Endpoint

FOLDER, SUFFIX = "servers", ".server.json"
KEY_VARIABLE = "MODEL_SERVER_API_KEY"
HERE = "Let a model answer on this machine: shammah ask --model seedling, or `shammah config unset model.server`."


@dataclass(frozen=True, slots=True)
class Card:
    """Where a model runs, and which it is."""

    server: str
    identity: Identity

    @property
    def model(self) -> str:
        """What it is called there."""
        return self.identity.name


def is_card(path: Path) -> bool:
    """Whether a model's file is the card of one that a server runs."""
    return path.name.endswith(SUFFIX)


def card_of(settings: Settings, environ: Mapping[str, str]) -> Path:
    """The card of the server's model, written where it is not there yet: then the server is asked for the name.

    Raises:
        ModelServerError: It has no such model, or does not answer.
    """
    server, path = settings.model.server.rstrip("/"), place_of(settings)
    try:
        read(path)
    except BadModel:  # there is none yet, or something else stands there
        from shammah.compatible import looking  # later questions do without

        found = looking.look(endpoint(server, settings.offline, environ), settings.model.served_as)
        write(path, Card(server, found.identity))
    return path


def place_of(settings: Settings) -> Path:
    """Where the card of the server's model lies, or will."""
    known_by = f"{settings.model.server.rstrip('/')}\n{settings.model.served_as}"
    return settings.home / FOLDER / f"{hashlib.sha256(known_by.encode()).hexdigest()[:16]}{SUFFIX}"


def write(path: Path, card: Card) -> None:
    """Write a card, whole."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(path, json.dumps({"server": card.server} | card.identity.as_row()))


def read(path: Path) -> Card:
    """What a card says.

    Raises:
        BadModel: It is none.
    """
    try:
        row = json.loads(path.read_text("utf-8"))
        return Card(str(row["server"]), Identity.read(row))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise BadModel(f"{path} is no card of a server's model", hint="Delete it: it is written anew.") from error


def endpoint(server: str, is_offline: bool, environ: Mapping[str, str]) -> "Endpoint":
    """Where a server is, with the key that the environment has for it.

    Raises:
        ConfigError: Its address is neither https nor loopback, or its key is none.
        StaysHere: It is another machine, and nothing may leave this one.
    """
    from shammah.compatible.wire import Endpoint
    from shammah.teacher.access import check

    check(server, "`model.server`")
    if is_offline and not is_here(server):
        raise StaysHere(f"{server} is another machine, and nothing may leave this one", hint=HERE)
    key = environ.get(KEY_VARIABLE, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(f"{KEY_VARIABLE} holds signs that no key has", hint="Set it to the server's key.")
    return Endpoint(server.rstrip("/"), key)
