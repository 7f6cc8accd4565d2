"""The loop with a training on two processes, as a user starts it."""

from pathlib import Path

from tests.fake_trainer import FakeTrainer
from tests.whole.command import Home
from tests.whole.corrected import faked, lines

TWO = "accelerate launch --multi_gpu --num_processes 2 --main_process_port 0"


def test_a_training_that_accelerate_launched_closes_the_loop(tmp_path: Path) -> None:
    faked(tmp_path, FakeTrainer())  # for its correction and its short list of general questions
    home = Home(tmp_path, {"SHAMMAH_OFFLINE": "1", "SHAMMAH_WORKER_ENABLED": "0"})
    done = home.run("train", "--force", "--launch", TWO)
    assert done.returncode == 0, done.stderr + (tmp_path / "jobs/1/trainer.log").read_text()
    told = lines(done.stdout)
    assert told[-1] == {"event": "promoted", "training": 1, "adapter": "corrections-v1", "reason": ""}
    steps = [line["step"] for line in told if line["event"] == "step"]
    assert steps == list(range(1, len(steps) + 1)), "one process alone speaks"
    assert home.ask("how do i list files")["answer"] == "ls -la"


def test_a_launcher_that_is_none_is_refused_before_anything_begins(tmp_path: Path) -> None:
    home = faked(tmp_path, FakeTrainer())
    refused = home.run("train", "--launch", "no-such-program")
    assert refused.returncode == 3
    assert "accelerate launch" in refused.stderr
    waits = home.run("train", "--background", "--launch", TWO)
    assert waits.returncode == 2
    assert "trainer.launch" in waits.stderr
    with home.journal() as journal:
        assert journal.trainings.last() is None
