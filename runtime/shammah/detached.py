"""Processes of our own that go on when the command that started them is over."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from shammah import config
from shammah.given import BACKGROUND_VARIABLE


def start(
    module: str, home: Path, log: Path, is_offline: bool = False, environ: Mapping[str, str] = os.environ
) -> "subprocess.Popen[bytes]":
    """Start `python -m MODULE` for a home, detached from this terminal; what it says goes to a log."""
    with log.open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd=home,
            env=_environment(home, is_offline, environ),
            start_new_session=True,
        )


def _environment(home: Path, is_offline: bool, environ: Mapping[str, str]) -> dict[str, str]:
    own = {config.HOME_VARIABLE: str(home), BACKGROUND_VARIABLE: "1"}
    return dict(environ) | own | ({"SHAMMAH_OFFLINE": "1"} if is_offline else {})
