"""Runs `shammah` as its users do: a child process with a home of its own."""

import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from shammah.journal import Journal
from tests.known import record_seedling
from tests.whole import forked

OWN_VARIABLES = ("ANTHROPIC_", "SHAMMAH_", "HF_", "COLUMNS", "LINES")


@dataclass(frozen=True)
class Home:
    """A user's machine: a folder, and the environment that goes with it."""

    path: Path
    variables: dict[str, str] = field(default_factory=dict)

    @classmethod
    def used(cls, path: Path, variables: dict[str, str] | None = None) -> Self:
        """A home whose first question is over: the built-in model has been checked."""
        home = cls(path, variables or {})
        with home.journal() as journal:
            record_seedling(journal)
        return home

    def environment(self) -> dict[str, str]:
        """The variables of a command."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OWN_VARIABLES)}
        offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(self.path / "hub"), "HOME": str(self.path)}
        return kept | offline | {"SHAMMAH_HOME": str(self.path)} | self.variables

    def run(
        self,
        *arguments: str,
        stdin: str | bytes | None = None,
        largest_bytes: int | None = None,
        clock_seconds: float = 0.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end: with no file larger than a limit where one is given, its clock so far ahead."""
        data = stdin.encode() if isinstance(stdin, str) else stdin or b""
        code, out, err = forked.run(arguments, self.environment(), data, largest_bytes, clock_seconds)
        return subprocess.CompletedProcess(arguments, code, out.decode(), err.decode())

    def show(self, *arguments: str, columns: int = 80, **variables: str) -> str:
        """Run a command that succeeds on a terminal: what it wrote there."""
        environment = self.environment() | {"TERM": "xterm"} | variables
        code, said = forked.run_on_terminal(arguments, environment, columns)
        assert code == 0, said
        return said.replace("\r\n", "\n")

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
