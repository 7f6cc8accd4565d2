"""The loop as a user closes it: ask, correct, train, and the same question is answered right, offline."""

import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from bench.loop import corrections
from models.seedling.evaluate import evaluate
from models.seedling.phrasings import read_cases, training_intents
from shammah import adapters
from shammah.bases import SEEDLING
from shammah.journal import Journal
from shammah.local import LocalModel
from shammah.locks import TRAINING, WORKER, is_held, only_one
from tests.fake_trainer import WORSE, FakeTrainer
from tests.teachers import wait_until
from tests.whole.command import Home
from tests.whole.corrected import OFFLINE, correct, corrected, faked, lines, start, wait_for

MOST_LOST = 0.02


@pytest.mark.timeout(900)  # a training of its own length, at idle priority
def test_the_loop_closes_offline_and_costs_little_else(tmp_path: Path) -> None:
    home, wanted = Home(tmp_path, OFFLINE), corrections()[:3]
    for question, answer in wanted:
        correct(home, question, answer)
    before = own_evaluation(home.journal())
    done = home.run("train")
    assert done.returncode == 0, done.stderr + (tmp_path / "jobs/1/trainer.log").read_text()
    told = lines(done.stdout)
    assert {"answering", "opening", "comparing", "step", "epoch", "evaluating", "evaluated"} <= {
        line["event"] for line in told
    }
    assert told[-1] == {"event": "promoted", "training": 1, "adapter": "corrections-v1", "reason": ""}
    for question, answer in wanted:
        said = home.ask(question)
        assert said["answer"] == answer
        assert said["adapters"] == [{"name": "corrections-v1", "scale": 1.0}]
    assert own_evaluation(home.journal()) >= before - MOST_LOST
    started = time.monotonic()
    assert home.run("adapters", "rollback").returncode == 0
    assert time.monotonic() - started < 5
    assert home.ask(wanted[0][0])["answer"] != wanted[0][1]


def own_evaluation(journal: Journal) -> float:
    """The seedling's share of right answers on some of its evaluation, with what is active."""
    with journal, LocalModel(SEEDLING, gpu_layers=0) as model:
        base = journal.bases.at(SEEDLING)
        assert base is not None
        model.apply(adapters.active_files(journal, base.sha256))
        cases = {intent: phrasings[:1] for intent, phrasings in read_cases().items()}
        return evaluate(model, training_intents(), cases).right_share


def test_without_anything_to_learn_it_says_how_to_correct(tmp_path: Path) -> None:
    done = Home(tmp_path).run("train")
    assert done.returncode == 1
    assert "shammah feedback critical" in done.stderr


def test_without_the_extra_one_line_says_how_to_install_it(tmp_path: Path) -> None:
    home = faked(tmp_path, FakeTrainer(is_installed=False), SHAMMAH_TRAINER_AFTER_FEEDBACK="1")
    done = home.run("train")
    assert done.returncode == 3
    assert 'pip install "shammah[train]"' in done.stderr
    assert 'pip install "shammah[train]"' in home.run("feedback", "critical", "--answer", "ls -A").stderr
    again = home.run("feedback", "critical", "--answer", "ls -l")
    assert "pip install" not in again.stderr, "it is said once"
    assert "`shammah train` learns them" in again.stdout
    with home.journal() as journal:
        assert journal.trainings.last() is None


def test_a_refused_training_ends_with_1_and_force_overrides(tmp_path: Path) -> None:
    home = faked(tmp_path, FakeTrainer(general=WORSE))
    done = home.run("train")
    assert done.returncode == 1
    assert "--force" in done.stderr
    assert lines(done.stdout)[-1]["event"] == "refused"
    assert home.run("train", "--force").returncode == 0


def test_enough_corrections_train_in_the_background_and_the_next_ask_says_so(tmp_path: Path) -> None:
    home = faked(tmp_path, FakeTrainer(), SHAMMAH_TRAINER_AFTER_FEEDBACK="2")
    home.ask("how do i copy a folder")
    done = home.run("feedback", "critical", "--answer", "cp -a")
    assert "training starts now" in done.stdout
    wait_for(home, "promoted")
    asked = home.run("ask", "how do i copy a folder")
    assert "corrections-v1 is active" in asked.stderr
    assert "corrections-v1" not in home.run("ask", "how do i copy a folder").stderr


def test_background_returns_at_once_and_a_second_train_attaches(tmp_path: Path) -> None:
    home = faked(tmp_path, FakeTrainer(steps=60, pause=0.05))
    started = time.monotonic()
    done = home.run("train", "--background")
    assert done.returncode == 0
    assert time.monotonic() - started < 5
    wait_for(home, "running")  # else whoever asks next does it
    attached = home.run("train")
    assert "Training 1 is under way" in attached.stderr
    told = lines(attached.stdout)
    assert [line["step"] for line in told if line["event"] == "step"] == list(range(1, 61))
    assert told[-1]["event"] == "promoted"
    assert wait_until(lambda: not is_held(tmp_path / WORKER), 60), "the background has said what it had to say"
    assert "is active" not in home.run("log").stderr


def test_background_beside_a_running_one_returns_and_force_says_that_it_came_too_late(tmp_path: Path) -> None:
    home = faked(tmp_path, FakeTrainer(steps=2000, pause=0.05))
    home.run("train", "--background")
    wait_for(home, "running")
    again = home.run("train", "--background")
    assert again.returncode == 0
    assert "is running already" in again.stderr
    forced = home.run("train", "--force")
    assert forced.returncode == 1
    assert "without --force" in forced.stderr
    home.run("train", "--cancel")
    wait_for(home, "cancelled")


def test_a_queued_training_that_nobody_does_is_done_by_whoever_asks(tmp_path: Path) -> None:
    home = faked(tmp_path, FakeTrainer())
    with home.journal() as journal:
        base = journal.bases.at(SEEDLING)
        assert base is not None
        assert journal.trainings.queue(base.sha256, is_automatic=True, is_forced=False) is not None
    done = home.run("train")
    assert done.returncode == 0, done.stderr
    assert lines(done.stdout)[-1] == {"event": "promoted", "training": 1, "adapter": "corrections-v1", "reason": ""}


def test_what_the_background_begins_while_somebody_asks_for_it_is_watched(tmp_path: Path) -> None:
    home = faked(tmp_path, FakeTrainer())
    with home.journal() as journal, only_one(home.path / TRAINING) as lock:
        base = journal.bases.at(SEEDLING)
        assert lock is not None
        assert base is not None
        queued = journal.trainings.queue(base.sha256, is_automatic=True, is_forced=False)
        assert queued is not None
        with start(home, "train", "--force") as watcher:
            assert watcher.stderr is not None
            assert b"Training 1 is under way" in watcher.stderr.readline()
            assert journal.trainings.at(queued.number).is_forced
            journal.trainings.note(queued, "cancelled")
            assert watcher.wait(20) == 1


def test_ctrl_c_on_an_attached_train_detaches_and_cancel_stops(tmp_path: Path) -> None:
    home = faked(tmp_path, FakeTrainer(steps=2000, pause=0.05))
    home.run("train", "--background")
    wait_for(home, "running")
    watcher = start(home, "train")
    assert watcher.stdout is not None
    watcher.stdout.readline()
    watcher.send_signal(signal.SIGINT)
    _, said = watcher.communicate(timeout=30)
    assert watcher.returncode == 130
    assert b"goes on" in said
    with home.journal() as journal:
        running = journal.trainings.last()
    assert running is not None
    assert running.state == "running"
    assert home.run("train", "--cancel").returncode == 0
    wait_for(home, "cancelled")
    assert "No training is under way" in home.run("train", "--cancel").stderr


def test_ctrl_c_on_a_foreground_train_leaves_everything_as_it_was(tmp_path: Path) -> None:
    home = faked(tmp_path, FakeTrainer(steps=2000, pause=0.05))
    worker = start(home, "train")
    assert worker.stdout is not None
    worker.stdout.readline()
    worker.send_signal(signal.SIGINT)
    worker.communicate(timeout=30)
    assert worker.returncode == 130
    with home.journal() as journal:
        last = journal.trainings.last()
        assert journal.adapters.all() == []
    assert last is not None
    assert last.state == "cancelled"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_killed_train_takes_the_real_trainer_with_it(tmp_path: Path) -> None:
    shutil.copytree(corrected(), tmp_path, dirs_exist_ok=True)
    home = Home(tmp_path, OFFLINE)
    worker = start(home, "train")
    lock, deadline = tmp_path / "training.lock", time.monotonic() + 120
    while not (lock.exists() and lock.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child = int(lock.read_text())
    assert Path(f"/proc/{child}").exists()
    worker.kill()
    worker.communicate()
    deadline = time.monotonic() + 30
    while is_alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with home.journal() as journal:
        assert journal.adapters.all() == []


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
