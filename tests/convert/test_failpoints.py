"""A place kills whoever the environment says, and nobody else."""

import os
import signal
import subprocess
import sys

import pytest

from shammah.config import load
from shammah_convert import failpoints
from shammah_convert.failpoints import VARIABLE, reach

WALK = """
import sys
from shammah_convert.failpoints import reach
for name in sys.argv[1:]:
    print(name, flush=True)
    reach(name)
"""


def walk(wanted: str, *names: str) -> tuple[int, list[str]]:
    """How a process ends that goes from place to place, and how far it comes."""
    environment = os.environ | {VARIABLE: wanted, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-S", "-c", WALK, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return done.returncode, done.stdout.split()


@pytest.mark.parametrize(
    ("wanted", "code", "names"),
    [
        ("b", -signal.SIGKILL, ["a", "b"]),
        ("b:2", -signal.SIGKILL, ["a", "b", "c", "b"]),
        ("b:3", 0, ["a", "b", "c", "b"]),
        ("d", 0, ["a", "b", "c", "b"]),
        ("", 0, ["a", "b", "c", "b"]),
    ],
)
def test_it_kills_where_and_when_it_is_told(wanted: str, code: int, names: list[str]) -> None:
    assert walk(wanted, "a", "b", "c", "b") == (code, names)


def test_without_the_variable_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    reach("a")
    assert not failpoints._reached


def test_the_variable_is_no_setting() -> None:
    load({"SHAMMAH_HOME": "/nowhere", VARIABLE: "a"})
