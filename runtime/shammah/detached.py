"""Processes of our own that go on when the command that started them is over."""

import os
import subprocess
import sys
from pathlib import Path

from shammah import config


def start(module: str, home: Path, log: Path, is_offline: bool = False) -> None:
    """Start `python -m MODULE` for a home, detached from this terminal; what it says goes to a log."""
    with log.open("ab") as said:
        subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd=home,
            env=os.environ | {config.HOME_VARIABLE: str(home)} | ({"SHAMMAH_OFFLINE": "1"} if is_offline else {}),
            start_new_session=True,
        )
