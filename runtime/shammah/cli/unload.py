"""What commands do that change which adapters are active, or erase: other processes are not to go on with the old."""

import os
from typing import TYPE_CHECKING

from shammah.cli.screen import say

if TYPE_CHECKING:
    from shammah.journal import Journal
    from shammah.settings import Settings


def unload(settings: "Settings", journal: "Journal") -> None:
    """Take what is active no more out of the servers that were given it; say what came of that."""
    from shammah.compatible import unloading

    for line in unloading.everywhere(settings, journal, os.environ):
        say(line)
