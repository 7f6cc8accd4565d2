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

from shammah.errors import BadModel
from shammah_convert.files import write_whole

if TYPE_CHECKING:
    from shammah.compatible.wire import Endpoint

FOLDER, SUFFIX = "servers", ".server.json"
KEY_VARIABLE = "MODEL_SERVER_API_KEY"


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


def card_of(home: Path, server: str, served_as: str, environ: Mapping[str, str]) -> Path:
    """The card of a server's model, written where it is not there yet: then the server is asked for the name.

    Raises:
        ModelServerError: It has no such model, or does not answer.
    """
    known_by = hashlib.sha256(f"{server}\n{served_as}".encode()).hexdigest()[:16]
    path = home / FOLDER / f"{known_by}{SUFFIX}"
    if not path.is_file():
        from shammah.compatible import looking  # later questions do without

        found = looking.look(endpoint(server, environ), served_as)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, json.dumps(asdict(Card(server, found.model))))
    return path


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


def endpoint(server: str, environ: Mapping[str, str]) -> "Endpoint":
    """Where a server is, with the key that the environment has for it.

    Raises:
        ConfigError: Its address is neither https nor loopback.
    """
    from shammah.compatible.wire import Endpoint
    from shammah.teacher.access import check

    check(server, "`model.server`")
    return Endpoint(server, environ.get(KEY_VARIABLE, "").strip())
