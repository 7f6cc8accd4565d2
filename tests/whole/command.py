"""Runs `shammah` as its users do: a child process with a home of its own."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shammah.journal import Journal

OWN_VARIABLES = ("ANTHROPIC_", "SHAMMAH_", "HF_")


@dataclass(frozen=True)
class Home:
    """A user's machine: a folder, and the environment that goes with it."""

    path: Path
    variables: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """The variables of a command."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OWN_VARIABLES)}
        offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(self.path / "hub"), "HOME": str(self.path)}
        return kept | offline | {"SHAMMAH_HOME": str(self.path)} | self.variables

    def run(self, *arguments: str, stdin: str | bytes | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            [sys.executable, "-m", "shammah", *arguments],
            input=data,
            stdin=subprocess.DEVNULL if data is None else None,
            capture_output=True,
            env=self.environment(),
            timeout=240,
            check=False,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def ask(self, *arguments: str, stdin: str | None = None) -> dict[str, Any]:
        """Ask with --json and read the object."""
        done = self.run("ask", "--json", *arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def journal(self) -> Journal:
        """The journal, opened beside the commands."""
        return Journal(self.path)

    def wait_for_worker(self, seconds: float = 90) -> None:
        """Wait until the background has done every job."""
        deadline = time.monotonic() + seconds
        with self.journal() as journal:
            while journal._db.execute("SELECT 1 FROM jobs WHERE state = 'queued'").fetchone():
                assert time.monotonic() < deadline, (self.path / "worker.log").read_text()
                time.sleep(0.1)
