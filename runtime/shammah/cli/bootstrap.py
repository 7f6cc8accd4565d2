"""The first question of a fresh machine: whether a real model may be fetched, while that question is answered.

`ask` and `chat` call `offer` before they answer, and `chat` calls `has_come` between two questions.
"""

import os
import sys
from typing import TYPE_CHECKING

from shammah import config
from shammah.asked import OFFERED
from shammah.cli.screen import say

if TYPE_CHECKING:
    from shammah.catalog import Model
    from shammah.journal import Journal
    from shammah.records.bases import Pull
    from shammah.settings import Settings


def offer(settings: "Settings", journal: "Journal") -> None:
    """Ask once, on a terminal, whether the model that fits may be fetched; see to it that one that is wanted comes.

    Without a terminal nothing is asked, and nothing is downloaded that nobody agreed to.
    """
    if settings.model.path or settings.model.server or settings.offline or os.environ.get("HF_HUB_OFFLINE"):
        return
    if journal.pulls.open_one() is None:
        is_terminal = sys.stdin.isatty() and sys.stderr.isatty()
        if not is_terminal or journal.notices.has_flag(OFFERED) or not _ask(settings, journal):
            return
    from shammah import fetching

    fetching.see_to(settings.home, journal)


def has_come(settings: "Settings", awaited: "Pull | None") -> bool:
    """Whether the model that was awaited is chosen now: whoever talks on loads the settings again and opens it."""
    return awaited is not None and config.load().model != settings.model


def _ask(settings: "Settings", journal: "Journal") -> bool:
    """Whether a model is wanted now; no answer at all is asked for again another time."""
    from shammah.amounts import gigabytes
    from shammah.cli.pull import asked

    model = _proposal(settings)
    if model is None:  # perhaps another time, when more is free
        return False
    is_free = model.licence == "apache-2.0"
    say("Shammah has only its small built-in model so far.")
    say(f"{model.title} fits this machine: {gigabytes(model.size_bytes)}, licence {model.licence}.")
    if not is_free:
        say(f"That licence forbids some uses: huggingface.co/{model.repository}")
    agree = "" if is_free else " and agree to its licence"
    try:
        is_wanted = asked(f"Fetch it in the background{agree}? [{'Y/n' if is_free else 'y/N'}] ", default=is_free)
    except EOFError:
        return False
    journal.notices.raise_flag(OFFERED)
    if is_wanted:
        journal.pulls.want(model.name, model.title, model.size_bytes)
        say("It is on its way; `shammah models list` shows how far.")
    else:
        say("Then not; `shammah models pull` fetches it at any time.")
    return is_wanted


def _proposal(settings: "Settings") -> "Model | None":
    """What fits into the memory and onto the disk."""
    from shammah import catalog, fitting, hardware, hub
    from shammah.cli.model_list import context_of, machine
    from shammah.errors import DiskTooSmall
    from shammah.pulling import SPARE_BYTES

    model = fitting.propose(catalog.models(), machine(), context_of(settings)).model
    if model is None:
        return None
    folder = hub.cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        hardware.check_disk(folder, model.size_bytes + SPARE_BYTES)
    except (DiskTooSmall, OSError):
        return None
    return model
