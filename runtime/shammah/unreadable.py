"""A configuration that is no TOML: it is set aside, and nothing leaves this machine until somebody has looked.

It may have held what was to stay here: `offline`, `privacy.never_forward`, an address. So the one in its place says
`offline = true`, and the person takes that away.
"""

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path

from shammah import aside, locks
from shammah.errors import ConfigError, NoToml
from shammah.given import BACKGROUND_VARIABLE, read
from shammah_convert.files import write_private

SETTLING_SECONDS = 0.2
"""An editor that writes a file in place may be half way through it."""

IN_ITS_PLACE = """# What stood here was no TOML, and is set aside as {name}.
# It may have said what is to stay on this machine, so nothing leaves it. Once you have looked:
#   shammah config unset offline
offline = true
"""
_log = logging.getLogger(__name__)


def set_aside(file: Path, error: NoToml, environ: Mapping[str, str] = os.environ) -> None:
    """Give a file that is no TOML a dated name, with one in its place that keeps everything here; say so.

    Raises:
        NoToml: Nobody would hear of it: a command that somebody runs does it.
        ConfigError: There is no room, or no right to.
    """
    if BACKGROUND_VARIABLE in environ:
        raise error
    target = Path(os.path.realpath(file))
    try:
        with locks.waited_for(file.with_name("config.lock")):
            time.sleep(SETTLING_SECONDS)
            if not _is_spoiled(file):
                return
            kept = aside.keep(target)
            write_private(target, IN_ITS_PLACE.format(name=kept.name))
    except OSError as refusal:
        raise ConfigError(
            f"{error}, and it cannot be set aside: {refusal}", hint="Check its rights and the free space."
        ) from refusal
    _log.warning(
        "%s. It is set aside as %s, and the defaults hold. Nothing leaves this machine until you say so:"
        " shammah config unset offline. Or mend it and move it back.",
        error,
        kept,
    )


def _is_spoiled(file: Path) -> bool:
    """Whether it still is no TOML: another process may have been faster, or somebody has written it to its end."""
    try:
        read(file)
    except NoToml:
        return True
    return False
