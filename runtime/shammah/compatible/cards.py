"""A model that a server runs, as a file of ours: a card with its name, which everything else takes for the model.

What was learnt counts for a base, and a base is a file; of a served model there may be none here. Its card says where
it runs and what it is called there; its hash is of the name alone, so that a server may move.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
    """Where a model runs, and what it is called there."""

    server: str
    model: str

    @property
    def sha256(self) -> str:
        """What it is known by: its name, hashed."""
        return hashlib.sha256(f"a model that a server calls {self.model}".encode()).hexdigest()


def is_card(path: Path) -> bool:
    """Whether a model's file is the card of one that a server runs."""
    return path.name.endswith(SUFFIX)


def card_of(settings: Settings, environ: Mapping[str, str]) -> Path:
    """The card of the server's model, written where it is not there yet: then the server is asked for the name.

    Raises:
        ModelServerError: It has no such model, or does not answer.
    """
    server, served_as = settings.model.server.rstrip("/"), settings.model.served_as
    known_by = hashlib.sha256(f"{server}\n{served_as}".encode()).hexdigest()[:16]
    path = settings.home / FOLDER / f"{known_by}{SUFFIX}"
    try:
        read(path)
    except BadModel:  # there is none yet, or something else stands there
        from shammah.compatible import looking  # later questions do without

        write(path, Card(server, looking.look(endpoint(server, settings.offline, environ), served_as).model))
    return path


def write(path: Path, card: Card) -> None:
    """Write a card, whole."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(path, json.dumps(asdict(card)))


def read(path: Path) -> Card:
    """What a card says.

    Raises:
        BadModel: It is none.
    """
    try:
        row = json.loads(path.read_text("utf-8"))
        return Card(str(row["server"]), str(row["model"]))
    except (OSError, ValueError, LookupError, TypeError) as error:
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
