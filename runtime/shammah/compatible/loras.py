"""How a server is made to apply adapters to a request: each program has a way of its own."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shammah import adapters
from shammah.calls import words_of
from shammah.compatible import wire
from shammah.compatible.events import NoEvents
from shammah.compatible.failing import failure
from shammah.compatible.looking import Server
from shammah.compatible.wire import Refused, Unreachable
from shammah.errors import AdapterError
from shammah_convert.job import AdapterFile

Fields = dict[str, Any]
Export = Callable[[Sequence[AdapterFile], Path], None]
"""Writes the sum of adapters as one PEFT folder."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where adapters are kept in the form that a server reads, and who writes them there.

    Attributes:
        remember: Hears what a server is given, by its name there.
    """

    folder: Path
    export: Export
    remember: Callable[[str, Sequence[AdapterFile]], None] = lambda _name, _files: None


def fields(server: Server, files: Sequence[AdapterFile], shelf: Shelf) -> Fields:
    """What a request says so that these adapters are applied, in order; they are loaded where that can be done.

    Args:
        server: That will be asked.
        files: Adapters, with their scales.
        shelf: Where they may be kept in the form that the server reads.

    Raises:
        AdapterError: The server cannot apply them.
    """
    match server.kind:
        case "llama.cpp":
            return _of_llama_server(server, files)
        case "vllm":
            return {"model": _of_vllm(server, files, shelf)} if files else {}
        case _:
            if files:
                raise AdapterError(
                    f"{server.endpoint.url} applies no adapters",
                    hint="llama-server and vLLM do; `shammah adapters use none` leaves them out.",
                )
            return {}


def _of_llama_server(server: Server, files: Sequence[AdapterFile]) -> Fields:
    """Each adapter that it was started with has a number; what a request does not name is scaled by 0."""
    rows = _asked(server, "GET", f"{server.endpoint.root}/lora-adapters") if files else []
    numbers = _numbers(rows, server.endpoint.url)
    chosen = []
    for file in files:
        number, path = numbers.get(Path(file.path).name, (None, None))
        if number is None or path is None:
            raise AdapterError(
                f"{server.endpoint.url} was not started with {file.name}",
                hint=f"Start llama-server with --lora-init-without-apply --lora {file.path}",
            )
        if _is_here(path):  # then it is the file that was recorded
            adapters.verify(AdapterFile(file.name, str(path), file.sha256))
        chosen.append({"id": number, "scale": file.scale})
    return {"lora": chosen}


def _numbers(rows: Any, url: str) -> dict[str, tuple[int, Path]]:
    try:
        return {Path(str(row["path"])).name: (int(row["id"]), Path(str(row["path"]))) for row in rows}
    except (TypeError, LookupError, ValueError) as error:
        raise AdapterError(f"{url} lists its adapters in no known way: {error!r}") from error


def _is_here(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # another user's folder
        return False


def name_of(files: Sequence[AdapterFile]) -> str:
    """What a server calls these adapters, each at its scale, as one."""
    known_by = json.dumps([(file.sha256, file.scale) for file in files])
    return f"shammah-{hashlib.sha256(known_by.encode()).hexdigest()[:16]}"


def _of_vllm(server: Server, files: Sequence[AdapterFile], shelf: Shelf) -> str:
    """The name under which it has these adapters, which are given to it first where it has them not."""
    name = name_of(files)
    shelf.remember(name, files)
    if name in server.models:
        return name
    path = shelf.folder / name
    if not path.is_dir():
        shelf.export(files, path)
    body = {"lora_name": name, "lora_path": str(path)}
    try:
        wire.request(server.endpoint, "POST", server.endpoint.at("load_lora_adapter"), body, is_json=False)
    except Refused as error:
        _, text = words_of(error.body, str(error.body))
        if "already" in text:  # another of our processes was faster
            return name
        raise AdapterError(
            f"{server.endpoint.url} does not load {', '.join(file.name for file in files)}: {text}",
            hint="vLLM takes --enable-lora, --max-lora-rank and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True;"
            f" it has to be able to read {path}.",
        ) from error
    except (Unreachable, NoEvents) as error:
        raise failure(error, server.endpoint.url) from error
    return name


def _asked(server: Server, method: str, url: str) -> Any:
    try:
        return wire.request(server.endpoint, method, url)
    except (Refused, Unreachable, NoEvents) as error:
        raise failure(error, server.endpoint.url) from error
