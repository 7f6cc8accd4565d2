"""A launcher between the runtime and its trainer: what it is started with, and how its end is understood."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from shammah import child, locks
from shammah.errors import ConfigError, Interrupted, TrainerKilled, TrainingError
from shammah.launching import started, words
from shammah_convert.job import CANCELLED, DISK_FULL, RUNNING

PYTHON = "/venv/bin/python"


# The command.


def test_without_a_launcher_the_trainer_is_started_as_it_is() -> None:
    assert started(PYTHON, "", Path("/job")) == [PYTHON, "-P", "-m", "shammah_trainer", "/job", "--guarded"]


def test_a_launcher_is_put_before_the_trainer() -> None:
    trainer = ["-m", "shammah_trainer", "/job", "--guarded", "--launched"]
    assert started(PYTHON, "env A='b c' python", Path("/job")) == ["env", "A=b c", "python", *trainer]


@pytest.mark.parametrize(
    ("launch", "module"),
    [
        ("accelerate launch --num_processes 2", ["accelerate.commands.launch", "--num_processes", "2"]),
        ("torchrun --nproc-per-node=2", ["torch.distributed.run", "--nproc-per-node=2"]),
    ],
)
def test_launchers_of_the_trainers_own_environment_need_not_be_on_the_path(launch: str, module: list[str]) -> None:
    assert words(PYTHON, launch) == [PYTHON, "-m", *module]


@pytest.mark.parametrize("launch", ["no-such-program --fast", "'never closed", "   "])
def test_what_cannot_be_run_is_refused_and_says_what_helps(launch: str) -> None:
    with pytest.raises(ConfigError, match=r"trainer\.launch") as refused:
        words(PYTHON, launch)
    assert "accelerate launch" in str(refused.value.hint)


# Its end. The stand-in leaves an exit code in a file, as the trainer does, and ends with another, as launchers do.

LAUNCHER = """
import subprocess, sys, time
from pathlib import Path
code, folder = sys.argv[1], Path(sys.argv[4])
if code != "none":
    (folder / "exit").write_text(code)
if code == "0":
    sys.exit(0)
with (folder / "progress.jsonl").open("a") as stream:
    stream.write('{"event": "failed", "error": "what it said"}' + chr(10))
if code == "stay":
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    (folder / "worker").write_text(str(worker.pid))
    time.sleep(600)
sys.exit(1)
"""


@pytest.fixture
def launcher(tmp_path: Path) -> str:
    script = tmp_path / "launcher.py"
    script.write_text(LAUNCHER)
    return f"{sys.executable} {script}"


def run(folder: Path, launch: str) -> None:
    with locks.only_one(folder / "training.lock") as lock:
        assert lock is not None
        child.run(sys.executable, folder, lock, lambda _: None, launch)


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        (str(CANCELLED), Interrupted, "what it said"),
        (str(DISK_FULL), TrainingError, "the disk is full: what it said"),
        ("", TrainingError, "the disk is full"),
        ("1", TrainingError, "what it said"),
        (RUNNING, TrainerKilled, "killed"),
        ("none", TrainingError, "started no trainer"),
    ],
)
def test_the_code_in_the_file_says_how_it_ended(
    tmp_path: Path, launcher: str, code: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        run(tmp_path, f"{launcher} '{code}'")


def test_a_training_that_ended_well_raises_nothing_and_an_old_code_is_forgotten(tmp_path: Path, launcher: str) -> None:
    (tmp_path / "exit").write_text(str(CANCELLED))
    run(tmp_path, f"{launcher} 0")
    (tmp_path / "exit").write_text(str(CANCELLED))
    with pytest.raises(TrainingError, match="started no trainer"):
        run(tmp_path, f"{launcher} none")


def test_what_a_killed_launcher_had_started_is_named_behind_the_lock_and_killed(tmp_path: Path, launcher: str) -> None:
    script = f"""
import sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from shammah import child
child.GRACE_SECONDS = child.FAMILY_SECONDS = 0.1
from tests.runtime.test_launching import run
run(Path({str(tmp_path)!r}), {f"{launcher} stay"!r})
"""
    runtime = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
    try:
        named = wait_for_names(tmp_path / "training.lock")
        worker = psutil.Process(int((tmp_path / "worker").read_text()))
        assert worker.pid in named
        os.kill(next(pid for pid in named if pid != worker.pid), 9)
        assert runtime.wait(30) != 0
        assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    finally:
        runtime.kill()
        runtime.wait()


def wait_for_names(lock: Path) -> list[int]:
    """Until two processes work behind it."""
    deadline = time.monotonic() + 30
    while len(named := locks.named(lock)) < 2:
        assert time.monotonic() < deadline, named
        time.sleep(0.05)
    return named
