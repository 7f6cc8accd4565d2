"""Fetches the model that is wanted, in the background: `python -m shammah.fetching`, one process a home.

It goes on where an earlier one stopped, and lets the model answer once it is whole and llama.cpp has run it.
"""

import logging
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from shammah import config, crash, detached, hardware, locks, model_names, pulling
from shammah.errors import ConfigError, DiskTooSmall, HubUnreachable, LicenceNotAgreed, ShammahError
from shammah.journal import Journal
from shammah.records.bases import Pull
from shammah.settings import Settings

LOG_NAME = "fetching.log"
RETRY_SECONDS = 300.0
# A day of such attempts: whoever is offline for a day is told so, and asks again.
MOST_ATTEMPTS = 288
RECORD_SECONDS = 2.0

_log = logging.getLogger(__name__)


class Cancelled(ShammahError):
    """Nobody wants the model any more."""


def see_to(home: Path, journal: Journal, environ: Mapping[str, str] = os.environ) -> None:
    """Have what is wanted fetched, also where an earlier process was killed; nothing is started twice."""
    if journal.pulls.due() is not None and not is_running(home):
        detached.start("shammah.fetching", home, home / LOG_NAME, environ=environ)


def is_running(home: Path) -> bool:
    """Whether a process fetches for a home now."""
    return locks.is_held(home / locks.FETCHING)


def main() -> int:
    """Fetch until nothing is wanted that can be had now."""
    os.umask(0o077)
    hardware.give_way()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    crash.settle()
    settings = config.load()
    with locks.only_one(settings.home / locks.FETCHING) as lock, Journal(settings.home) as journal:
        if lock is None:
            return 0
        lock.name(os.getpid())
        while not settings.offline and (pull := journal.pulls.due()):
            fetch(settings, journal, pull)
    return 0


def fetch(settings: Settings, journal: Journal, pull: Pull) -> None:
    """Fetch one model and let it answer, unless another was chosen meanwhile; what came of it is said later."""
    try:
        path = _download(journal, pull)
        pulling.take_in(journal, path)
        is_chosen = config.load().model != settings.model
        if not is_chosen:
            pulling.use(settings.home, path)
    except Cancelled:
        _log.info("%s is not wanted any more", pull.spec)
    except HubUnreachable as error:
        _log.info("%s: %s", pull.spec, error)
        if pull.attempts + 1 >= MOST_ATTEMPTS:
            _fail(journal, pull, error)
        else:
            journal.pulls.postpone(pull, str(error), RETRY_SECONDS)
    except ConfigError as error:
        _log.warning("%s: %s", pull.spec, error)
        journal.pulls.close(pull, f"{pull.title} is here, but was not chosen: {error}. {error.hint}", str(error))
    except ShammahError as error:
        _log.warning("%s: %s", pull.spec, error)
        _fail(journal, pull, error)
    except Exception as error:
        _log.exception("%s failed", pull.spec)
        _fail(journal, pull, ShammahError(repr(error), hint=f"See {settings.home / LOG_NAME}."))
    else:
        way = f"`shammah models use {pull.spec}` lets it answer" if is_chosen else "it answers from now on"
        journal.pulls.close(pull, f"{pull.title} is here: {way}.")


def _download(journal: Journal, pull: Pull) -> Path:
    """Its file, whole; how far it is, is recorded every other second."""
    planned = pulling.plan(model_names.wanted(pull.spec))
    model = planned.wanted.model
    if not planned.is_free and (model is None or planned.licence != model.licence):
        raise LicenceNotAgreed(f"its licence is {planned.licence} now ({planned.licence_url})")
    recorded = 0.0

    def hear(done_bytes: int) -> None:
        nonlocal recorded
        if time.monotonic() - recorded < RECORD_SECONDS and done_bytes < planned.size_bytes:
            return
        recorded = time.monotonic()
        journal.pulls.advance(pull, done_bytes, planned.size_bytes)
        open_one = journal.pulls.open_one()
        if open_one is None or open_one.number != pull.number:
            raise Cancelled(f"{pull.spec} is not wanted any more")

    return pulling.fetch(planned, hear)


def _fail(journal: Journal, pull: Pull, error: ShammahError) -> None:
    hint = error.hint if isinstance(error, DiskTooSmall | LicenceNotAgreed) else ""
    again = f"`shammah models pull {pull.spec}` tries again."
    journal.pulls.close(pull, f"{pull.title} was not fetched: {error}. {hint} {again}".replace("  ", " "), str(error))


if __name__ == "__main__":
    sys.exit(main())
