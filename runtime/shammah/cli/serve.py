"""`shammah serve`: the model stays warm, for commands and for programs."""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shammah import config, locks, times
from shammah.cli import complete
from shammah.cli.screen import say, write
from shammah.errors import BadModel, ServeError, ServeMissing
from shammah.serve import client, place
from shammah.serve.place import UNUSABLE
from shammah.serving import LIBRARIES
from shammah.settings import Settings

if TYPE_CHECKING:
    from shammah.serve.house import House

app = typer.Typer(help="Keep the model warm: `ask` and `chat` use it by themselves, and programs at a loopback port.")

_TIME = re.compile(r"[\d-]+ [\d:,]+ [A-Z]+ ")
"""What a line of the log begins with."""
LOOK_SECONDS = 0.1
# A large model comes from a slow disk; whoever waits sees what it is doing.
LOADING_SECONDS, DRAINING_SECONDS = 300.0, 30.0

Detach = Annotated[bool, typer.Option("--detach", help="Return once it answers; `serve stop` ends it.")]
Host = Annotated[str | None, typer.Option("--host", help="The address of the port; loopback, if not given.")]
Port = Annotated[int | None, typer.Option("--port", help="0 takes any that is free.")]
AnyKey = Annotated[bool, typer.Option("--any-key", help="Let in programs of this machine without a token.")]
Offline = Annotated[bool, typer.Option("--offline", help="Send nothing off this machine.")]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="PATH", help="A GGUF Qwen2, Qwen2.5 or Qwen3.", autocompletion=complete.models),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON object.")]


@app.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    detach: Detach = False,
    host: Host = None,
    port: Port = None,
    any_key: AnyKey = False,
    offline: Offline = False,
    model: Model = None,
) -> None:
    """Keep the model warm; Ctrl-C ends it, once what is being answered is over."""
    if context.invoked_subcommand is not None:
        return
    flags: dict[str, Any] = {
        "serve__host": host,
        "serve__port": port,
        "serve__any_key": any_key or None,
        "offline": offline or None,
        "model__path": model,
    }
    settings = config.load(**flags)
    if not all(map(find_spec, LIBRARIES)):
        raise ServeMissing("what the daemon stands on is not installed")
    if settings.model.path:
        from shammah import bases

        bases.wanted(settings)
    if (found := _status(settings.home)) is not None:
        where = f"a daemon serves this home already, at {found['url']}"
        raise ServeError(where, hint="`shammah serve status` tells of it, `shammah serve stop` ends it.")
    if detach:
        _detach(settings, flags)
    else:
        _run(settings, flags)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Say whether it runs, and what it does; ends with 1 where none runs."""
    found = _status(config.load().home)
    if as_json:
        write(json.dumps(found or {"state": "stopped"}))
    elif found is None:
        say("No daemon runs. Begin with: shammah serve --detach")
    else:
        write("\n".join(_described(found)))
    if found is None:
        raise typer.Exit(1)


@app.command()
def stop() -> None:
    """End it, once what is being answered is over."""
    home = config.load().home
    try:
        client.request(place.socket_of(home), "/private/stop", {})
    except client.NoDaemon:
        say("No daemon runs.")
        return
    if not _wait(lambda: not locks.is_held(home / locks.SERVING), DRAINING_SECONDS):
        raise ServeError("it is still answering", hint="It ends by itself; `shammah serve status` shows when.")
    say("Stopped.")


def _run(settings: Settings, flags: dict[str, Any]) -> None:
    """Serve in this process."""
    from shammah.serve.daemon import Daemon
    from shammah.serve.engines import open_engine

    def opened(house: "House") -> None:
        say(f"Serving at {house.url}; {_key(settings)}. Ctrl-C ends it.")

    Daemon(settings, open_engine, lambda: config.load(**flags)).run(opened=opened)


def _detach(settings: Settings, flags: dict[str, Any]) -> None:
    """Begin a process of its own, and wait until it answers."""
    import os

    from shammah import detached
    from shammah.given import variable_of

    given = {variable_of(name.replace("__", ".")): str(value) for name, value in flags.items() if value is not None}
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = settings.home / place.LOG
    start = log.stat().st_size if log.exists() else 0
    child = detached.start("shammah.serve", settings.home, log, environ=os.environ | given)

    def is_settled() -> bool:
        return child.poll() is not None or (_status(settings.home) or {}).get("state") == "ready"

    is_done = _wait(is_settled, LOADING_SECONDS)
    found = _status(settings.home)
    if not is_done or child.returncode is not None or found is None:
        kind = BadModel if child.returncode == UNUSABLE else ServeError  # as in the foreground
        raise kind(f"it does not serve: {_last_words(log, start)}", hint=f"All of it is in {log}.")
    say(f"Serving at {found['url']}, process {found['pid']}; {_key(settings)}. `shammah serve stop` ends it.")


def _key(settings: Settings) -> str:
    """How programs get in."""
    return "any key will do" if settings.serve.any_key else f"the bearer token is in {settings.home / place.TOKEN}"


def _status(home: Path) -> dict[str, Any] | None:
    """What a daemon says of itself; None where none runs."""
    try:
        return client.request(place.socket_of(home), "/private/status")
    except client.NoDaemon:
        return None


def _described(found: dict[str, Any]) -> list[str]:
    since = times.to_minute(times.stamp(datetime.fromtimestamp(found["since"], UTC)))
    lines = [
        f"{found['state']}: Shammah {found['version']}, process {found['pid']}, since {since}",
        f"at {found['url']}, {found['answers']} answered, {found['in_flight']} now",
    ]
    return [*lines, *([f"model {found['model']} ({found['path']})"] if found["model"] else [])]


def _wait(is_so: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is so; whether it became so in time."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def _last_words(log: Path, start: int) -> str:
    """The last line that a process left in its log, without the time."""
    with log.open("rb") as stream:
        stream.seek(start)
        lines = stream.read().decode("utf-8", "replace").strip().splitlines()
    return _TIME.sub("", lines[-1]) if lines else "it says nothing"
