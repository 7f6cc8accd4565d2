"""A training stands still while somebody is answered, and goes on whoever was killed meanwhile."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from shammah import child, locks
from shammah.standstill import is_answered, standstill
from shammah_convert import pauses
from shammah_convert.job import PROGRESS

SLEEPER = "import time; time.sleep(600)"
HOLDER = """
import sys, time
from pathlib import Path
from shammah.standstill import standstill
with standstill(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""
TRAINER = """#!{python}
import sys, time
sys.stdin.read()
"""


@pytest.fixture
def sleeper() -> Iterator[psutil.Process]:
    process = subprocess.Popen([sys.executable, "-c", SLEEPER])
    yield psutil.Process(process.pid)
    process.kill()
    process.wait()


def stands(process: psutil.Process) -> bool:
    return bool(process.status() == psutil.STATUS_STOPPED)


def is_gone(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)  # nobody may be there to bury it
    except psutil.NoSuchProcess:
        return True


def soon(claim: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if claim():
            return True
        time.sleep(0.01)
    return False


@contextmanager
def answering(home: Path) -> Iterator[None]:
    """A process of its own answers, until it is killed."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(home)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"held\n"
            yield
        finally:
            process.kill()


def test_it_stands_until_the_last_who_answers_is_done(tmp_path: Path, sleeper: psutil.Process) -> None:
    with locks.only_one(tmp_path / locks.TRAINING) as lock:
        assert lock is not None
        lock.name(sleeper.pid)
        with standstill(tmp_path):
            with standstill(tmp_path):
                assert soon(lambda: stands(sleeper))
            assert stands(sleeper), "another is still answered"
            assert is_answered(tmp_path)
        assert soon(lambda: not stands(sleeper))
        assert not is_answered(tmp_path)


def test_an_answer_that_fails_lets_it_go_on(tmp_path: Path, sleeper: psutil.Process) -> None:
    def fail() -> None:
        with standstill(tmp_path):
            assert soon(lambda: stands(sleeper))
            raise KeyboardInterrupt

    with locks.only_one(tmp_path / locks.TRAINING) as lock:
        assert lock is not None
        lock.name(sleeper.pid)
        with pytest.raises(KeyboardInterrupt):
            fail()
        assert soon(lambda: not stands(sleeper))


def test_a_process_that_a_dead_training_left_a_name_of_is_not_touched(tmp_path: Path, sleeper: psutil.Process) -> None:
    (tmp_path / locks.TRAINING).write_text(str(sleeper.pid))
    with standstill(tmp_path):
        time.sleep(0.1)
        assert not stands(sleeper)


def test_what_a_killed_pair_left_standing_goes_on_after_the_next_answer(
    tmp_path: Path, sleeper: psutil.Process
) -> None:
    (tmp_path / locks.TRAINING).write_text(str(sleeper.pid))
    sleeper.suspend()
    with standstill(tmp_path):
        assert soon(lambda: stands(sleeper))
    assert soon(lambda: not stands(sleeper))


@pytest.fixture
def training(tmp_path: Path) -> Iterator[psutil.Process]:
    """A trainer that waits for its end, under its real parent; the home is the folder."""
    folder = tmp_path / "jobs" / "1"
    folder.mkdir(parents=True)
    python = tmp_path / "python"
    python.write_text(TRAINER.format(python=sys.executable))
    python.chmod(0o755)
    (folder / PROGRESS).touch()
    over: list[BaseException] = []

    def parent() -> None:
        with locks.only_one(tmp_path / locks.TRAINING) as lock:
            assert lock is not None
            try:
                child.run(str(python), folder, lock, lambda _: None)
            except BaseException as error:
                over.append(error)

    thread = threading.Thread(target=parent)
    thread.start()
    assert soon(lambda: len(locks.named(tmp_path / locks.TRAINING)) == 1)
    process = psutil.Process(*locks.named(tmp_path / locks.TRAINING))
    yield process
    process.kill()
    thread.join()
    assert len(over) == 1, "it was killed"


def test_its_parent_lets_it_go_on_where_who_answered_was_killed(tmp_path: Path, training: psutil.Process) -> None:
    with answering(tmp_path):
        assert soon(lambda: stands(training))
    assert soon(lambda: not stands(training))


def test_its_parent_stops_what_went_on_too_early(tmp_path: Path, training: psutil.Process) -> None:
    with standstill(tmp_path):
        assert soon(lambda: stands(training))
        training.resume()
        assert soon(lambda: stands(training))
    assert soon(lambda: not stands(training))


def test_one_who_needs_its_memory_makes_it_go_on_to_where_it_gives_that_back(
    tmp_path: Path, training: psutil.Process
) -> None:
    with standstill(tmp_path):
        assert soon(lambda: stands(training))
        file = pauses.ask(tmp_path / "jobs" / "1", pauses.Answering(1, 0.0))
        assert soon(lambda: not stands(training))
        file.unlink()
        assert soon(lambda: stands(training))


def test_looking_whether_somebody_is_answered_makes_no_file(tmp_path: Path) -> None:
    assert not is_answered(tmp_path)
    assert list(tmp_path.iterdir()) == []


PARENT = """
import sys
from pathlib import Path
from shammah import child, locks
home = Path(sys.argv[1])
with locks.only_one(home / locks.TRAINING) as lock:
    child.run(sys.argv[2], home, lock, lambda _: None)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it ends once the next answer lets it go on")
def test_a_trainer_that_stands_still_ends_with_its_killed_parent(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(TRAINER.format(python=sys.executable))
    python.chmod(0o755)
    with answering(tmp_path), subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path), str(python)]) as parent:
        assert soon(lambda: len(locks.named(tmp_path / locks.TRAINING)) == 1, seconds=60)
        trainer = psutil.Process(*locks.named(tmp_path / locks.TRAINING))
        try:
            assert soon(lambda: stands(trainer))
            parent.kill()
            assert soon(lambda: is_gone(trainer))
        finally:
            parent.kill()
            if trainer.is_running():
                trainer.kill()
