"""A running daemon, as commands use it: by themselves, and without a word where there is none."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from shammah.asked import Asked
from shammah.cli.interrupt import Interrupt
from shammah.cli.manner import Manner, end, tell
from shammah.cli.screen import say
from shammah.errors import ServeError
from shammah.serve.place import socket_of
from shammah.settings import Settings

if TYPE_CHECKING:
    from shammah.serve.call import Call


def answer(asked: Asked, settings: Settings, manner: Manner) -> bool:
    """Let the daemon answer, and show what it says; whether it did.

    Raises:
        ShammahError: It cannot be answered as asked.
    """
    place = socket_now(settings)
    if place is None:
        return False
    from shammah.serve import client  # mostly there is no daemon

    stop = Interrupt()
    ear = client.Ear(manner.screen(lambda _: None), say, lambda told: tell(told, manner), stop)
    try:
        with stop:
            told = client.ask(place, call(asked, settings).as_row(), ear)
    except client.NoAnswer as reason:
        if asked.tells_why:
            say(f"The daemon does not answer this: {reason}.")
        return False
    end(told)
    return True


def socket_now(settings: Settings) -> Path | None:
    """Where the daemon of a home may be reached; None where it is not to be used, or there is none."""
    if not settings.serve.use:
        return None
    try:
        place = socket_of(settings.home)
    except ServeError:  # `shammah serve` says so
        return None
    return place if place.exists() else None


def has_open(settings: Settings, path: str) -> bool:
    """Whether a running daemon has this model open."""
    place = socket_now(settings)
    if place is None:
        return False
    from shammah.serve import client

    try:
        found = client.request(place, "/private/status")
    except client.NoDaemon:
        return False
    return bool(found.get("state") == "ready" and found.get("path") == path)


def call(asked: Asked, settings: Settings) -> "Call":
    """A question with all that this process would go by."""
    from shammah.serve.call import Call

    is_chosen = bool(settings.model.path or settings.model.server)
    may_fetch = not (is_chosen or settings.offline or os.environ.get("HF_HUB_OFFLINE"))
    return Call.here(asked, settings, may_fetch, sys.stdin.isatty() and sys.stderr.isatty(), os.environ)
