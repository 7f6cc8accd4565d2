"""A home with a correction to learn, and trainings of it that others watch."""

import atexit
import json
import shutil
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from shammah import general
from shammah.bases import SEEDLING
from shammah_convert.examples import write
from tests.fake_trainer import FakeTrainer
from tests.trainings import example
from tests.whole.command import Home

OFFLINE = {"SHAMMAH_OFFLINE": "1", "SHAMMAH_WORKER_ENABLED": "0"}


def correct(home: Home, question: str, answer: str) -> None:
    home.ask(question)
    done = home.run("feedback", "critical", "--answer", answer)
    assert done.returncode == 0, done.stderr


def faked(path: Path, fake: FakeTrainer, **variables: str) -> Home:
    """A home with a stand-in for the trainer, and a correction to learn."""
    shutil.copytree(corrected(), path, dirs_exist_ok=True)
    return Home(path, {"SHAMMAH_OFFLINE": "1", "SHAMMAH_TRAINER_PYTHON": fake.write(path)} | variables)


@cache
def corrected() -> Path:
    """A home with a correction and a short list of general questions, made once; tests take copies of it."""
    path = Path(tempfile.mkdtemp(prefix="shammah-corrected-"))
    atexit.register(shutil.rmtree, path)
    correct(Home(path, OFFLINE), "how do i list files", "ls -la")
    shorten_general(Home(path))
    return path


def shorten_general(home: Home) -> None:
    """Let the base have been asked few general questions, where all of them play no part."""
    with home.journal() as journal:
        base = journal.bases.at(SEEDLING)
    assert base is not None
    file = general.cache_file(home.path, base.sha256)
    file.parent.mkdir(exist_ok=True)
    file.write_text(write([example("general-0"), example("replay-0")]))


def wait_for(home: Home, state: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    with home.journal() as journal:
        while (last := journal.trainings.last()) is None or last.state != state:
            assert time.monotonic() < deadline, (last, (home.path / "worker.log").read_text())
            time.sleep(0.05)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def wait_for_file(file: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not file.exists():
        assert time.monotonic() < deadline, f"{file} does not come"
        time.sleep(0.05)


def start(home: Home, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "shammah", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=home.environment() | {"PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )
