"""An answer goes first: a training that stands in its way is asked to stand still, and let go again in any case."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from shammah import bases, config, hardware
from shammah.admission import RUN_BYTES, Postpone, Running, Wish
from shammah.asked import Asked
from shammah.cli.answering import answer
from shammah.cli.manner import Manner
from shammah.cli.train import train
from shammah.errors import TooLittleMemory
from shammah.feedback import Feedback, rate
from shammah.journal import Journal
from shammah.locks import TRAINING, only_one
from shammah.memory import Precedence, decide, job_folder, model_bytes, running
from shammah.records.bases import Base
from shammah.records.examples import Rating
from shammah.records.questions import NewAnswer
from shammah.settings import Settings
from shammah.sides import LocalSide
from shammah.standstill import is_answered
from shammah_convert.chat import Message
from shammah_convert.pauses import Answering, asked
from tests.fake_trainer import FakeTrainer
from tests.scripted import Scripted
from tests.tiny import write_tiny

PLENTY, NONE = 10**12, 0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def journal(home: Path) -> Iterator[Journal]:
    with Journal(home) as opened:
        yield opened


@pytest.fixture
def base(journal: Journal, tmp_path: Path) -> Base:
    return bases.identify(journal, write_tiny(tmp_path / "tiny.gguf"))


def test_a_killed_training_holds_nothing_of_whoever_has_its_number(home: Path, journal: Journal, base: Base) -> None:
    assert journal.trainings.begin(base.sha256, is_forced=False) is not None
    (home / TRAINING).write_text(str(os.getpid()))
    assert running(home, journal) is None


@pytest.fixture
def folder(home: Path, journal: Journal, base: Base) -> Iterator[Path]:
    """The job folder of a training that runs: its trainer is a process that sleeps."""
    training = journal.trainings.begin(base.sha256, is_forced=False)
    assert training is not None
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with only_one(home / TRAINING) as lock:
        assert lock is not None
        lock.name(child.pid)
        made = job_folder(home, training.number)
        made.mkdir(parents=True)
        try:
            yield made
        finally:
            child.kill()
            child.wait()


def free(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(hardware, "ram_available_bytes", lambda: count)


def test_a_training_runs_while_its_trainer_lives_and_holds_what_that_holds(
    home: Path, journal: Journal, folder: Path
) -> None:
    found = running(home, journal)
    assert found is not None
    assert found.number == 1
    assert 10**6 < found.bytes < 10**9
    with (home / TRAINING).open("w") as lock:
        lock.write(str(2**30))
    assert running(home, journal) is None, "there is no such process"


def test_a_queued_training_is_in_nobodys_way(home: Path, journal: Journal, base: Base) -> None:
    assert running(home, journal) is None
    journal.trainings.queue(base.sha256, is_automatic=True, is_forced=False)
    assert running(home, journal) is None


def test_a_training_beside_which_the_model_does_not_fit_stands_still_until_the_answer_is_there(
    home: Path, journal: Journal, base: Base, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, NONE)
    said: list[str] = []
    with Precedence(home, journal, said.append) as precedence:
        assert asked(folder) == [], "nothing was opened yet"
        precedence.take(base, 512)
        precedence.take(base, 512)
        assert asked(folder) == [Answering(os.getpid(), psutil.Process().create_time())]
    assert list(folder.iterdir()) == []
    assert said == ["Training 1 stands still meanwhile: both do not fit into memory."]


def test_a_training_beside_which_the_model_fits_stands_still_where_it_is(
    home: Path, journal: Journal, base: Base, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, PLENTY)
    said: list[str] = []
    with Precedence(home, journal, said.append) as precedence:
        assert not is_answered(home)
        precedence.take(base, 512)
        assert asked(folder) == []
        assert is_answered(home)
    assert not is_answered(home)
    assert said == []


def test_a_model_that_is_open_lets_a_training_stand_still_whatever_memory_is_free(
    home: Path, journal: Journal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, NONE)
    with Precedence(home, journal) as precedence:
        precedence.stand()
        assert is_answered(home)
        assert (asked(folder), precedence.is_pausing) == ([], False)
    assert not is_answered(home)


def test_a_training_that_begins_while_somebody_is_answered_finds_that_out(
    home: Path, journal: Journal, base: Base
) -> None:
    with Precedence(home, journal) as precedence:
        precedence.take(base, 512)
        assert is_answered(home)
    assert not is_answered(home)


def test_an_answer_that_fails_lets_the_training_go_on(
    home: Path, journal: Journal, base: Base, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, NONE)

    def answer() -> None:
        with Precedence(home, journal) as precedence:
            precedence.take(base, 512)
            assert len(asked(folder)) == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        answer()
    assert asked(folder) == []


def test_a_training_that_has_just_ended_is_no_reason_not_to_answer(
    home: Path, journal: Journal, base: Base, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, NONE)
    folder.rmdir()
    said: list[str] = []
    with Precedence(home, journal, said.append) as precedence:
        precedence.take(base, 512)
    assert said == []


def test_the_local_side_takes_precedence_when_it_is_opened_and_not_before(
    home: Path, journal: Journal, base: Base, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, NONE)
    generator = Scripted("hello")
    side = LocalSide(base.sha256, base.name, lambda: generator)
    with Precedence(home, journal) as precedence:
        around = precedence.around(side, base)
        assert asked(folder) == []
        assert around.open() is generator
        assert len(asked(folder)) == 1


def test_background_runs_wait_with_numbers(
    home: Path, journal: Journal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, 1_500_000_000)
    decision = decide(home, journal, Wish("background", 1_600_000_000))
    assert isinstance(decision, Postpone)
    assert decision.reason.startswith(
        "a background run takes 1.6 GB of RAM, 1.5 GB are free, and training 1 holds 0.0 GB"
    )
    assert isinstance(running(home, journal), Running)


def test_a_file_that_does_not_tell_its_shape_counts_by_its_size(base: Base, tmp_path: Path) -> None:
    whole = model_bytes(base, None)
    # 2 layers, 2 key-value heads of 16, 1,024 tokens, as tests/tiny.py writes it.
    assert whole == base.size + 1024 * 2 * 2 * 16 * 2 * 2 + RUN_BYTES
    assert model_bytes(replace(base, path=str(tmp_path / "gone.gguf")), None) == base.size + RUN_BYTES


# In their places.


def settings_of(home: Path, base: Base, **variables: str) -> Settings:
    given = {"SHAMMAH_HOME": str(home), "SHAMMAH_MODEL_PATH": base.path, "SHAMMAH_WORKER_ENABLED": "0"}
    return config.load(given | variables, offline=True, answer__max_tokens=4)


def test_ask_takes_precedence_and_lets_go(
    home: Path,
    base: Base,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    free(monkeypatch, NONE)
    answer(Asked("list files", "here", "local"), settings_of(home, base), hardware.BusyMeter(), Manner(as_json=False))
    assert "Training 1 stands still meanwhile" in capsys.readouterr().err
    assert list(folder.iterdir()) == []


def test_a_training_that_somebody_waits_for_is_refused_with_numbers(
    home: Path, journal: Journal, base: Base, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    free(monkeypatch, 500_000_000)
    python = FakeTrainer().write(home)
    for name, value in (("HOME", str(home)), ("MODEL_PATH", base.path), ("TRAINER_PYTHON", python)):
        monkeypatch.setenv(f"SHAMMAH_{name}", value)
    question = journal.begin("here", base.sha256, [Message("user", "list files")], 0, True)
    journal.save(question, [NewAnswer("local", True, "x", "forced", "stop", "m", (), False, 1, 1, {})])
    rate(journal, question, Feedback(Rating.CRITICAL, "", "ls"), has_teacher=False)
    with pytest.raises(TooLittleMemory, match=r"^training takes 0\.6 GB of RAM, 0\.5 GB are free$") as refused:
        train()
    assert "--background" in refused.value.hint
    assert journal.trainings.last() is None
