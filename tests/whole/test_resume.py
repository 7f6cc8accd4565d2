"""Power fails, the kernel kills: the training goes on with one command."""

import shutil
import time
from pathlib import Path

from shammah_convert.job import CHECKPOINTS
from tests.fake_trainer import FakeTrainer
from tests.whole.command import Home
from tests.whole.corrected import OFFLINE, corrected, faked, lines, start


def test_a_training_that_is_killed_is_resumed_under_its_number_and_learns(tmp_path: Path) -> None:
    shutil.copytree(corrected(), tmp_path, dirs_exist_ok=True)
    home = Home(tmp_path, OFFLINE)
    killed, deadline = start(home, "train"), time.monotonic() + 240
    while not list((tmp_path / "jobs").glob(f"1/{CHECKPOINTS}")):
        assert killed.poll() is None, "it is over before its first checkpoint"
        assert time.monotonic() < deadline, "it writes no checkpoint"
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    done = home.run("train", "--resume", "--force")  # of two general questions, each weighs much at the gate
    assert done.returncode == 0, done.stderr + (tmp_path / "jobs/1/trainer.log").read_text()
    told = lines(done.stdout)
    (resumed,) = [line for line in told if line["event"] == "resumed"]
    assert [line["step"] for line in told if line["event"] == "step"][:1] in ([], [resumed["step"] + 1])
    assert told[-1] == {"event": "promoted", "training": 1, "adapter": "corrections-v1", "reason": ""}
    assert home.ask("how do i list files")["answer"] == "ls -la"


def test_without_a_training_that_was_cut_off_it_says_what_to_do(tmp_path: Path) -> None:
    home = faked(tmp_path, FakeTrainer())
    done = home.run("train", "--resume")
    assert done.returncode == 1
    assert "no training was cut off" in done.stderr
    assert "Begin a new one with `shammah train`" in done.stderr
    assert "Leave out --background" in home.run("train", "--resume", "--background").stderr
