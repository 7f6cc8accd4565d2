"""What the flags of `shammah train` say, and how it reaches the trainer."""

from pathlib import Path

from shammah.bases import SEEDLING
from shammah_convert.job import PROGRESS, Job
from tests.fake_trainer import FakeTrainer
from tests.whole.corrected import faked, wait_for, wait_for_file


def test_max_memory_reaches_the_trainer_also_through_the_queue(tmp_path: Path) -> None:
    home = faked(tmp_path, FakeTrainer(steps=2000, pause=0.05))
    nonsense = home.run("train", "--max-memory", "plenty")
    assert nonsense.returncode == 2
    assert "--max-memory is 'plenty'" in nonsense.stderr
    assert "2500MB" in nonsense.stderr
    assert home.run("train", "--background", "--max-memory", "3GiB").returncode == 0
    wait_for(home, "running")
    wait_for_file(tmp_path / "jobs" / "1" / PROGRESS)
    assert Job.read(tmp_path / "jobs" / "1").plan.most_memory_bytes == 3 * 2**30
    late = home.run("train", "--background", "--max-memory", "2GB")
    assert late.returncode == 1
    assert "without this --max-memory" in late.stderr
    home.run("train", "--cancel")
    wait_for(home, "cancelled")


def test_how_to_learn_is_said_by_flags_while_one_waits(tmp_path: Path) -> None:
    home = faked(tmp_path, FakeTrainer(), SHAMMAH_WORKER_ENABLED="0", SHAMMAH_TRAINER_EASY_FIRST="1")
    for other, why in (("--background", "trainer.continue_active"), ("--resume", "as it was planned")):
        refused = home.run("train", other, "--continue")
        assert refused.returncode == 2
        assert other in refused.stderr
        assert why in refused.stderr
    assert home.run("train", "--continue", "--rank", "2", "--epochs", "5").returncode == 0
    plan = Job.read(tmp_path / "jobs" / "1").plan
    assert (plan.continues, plan.is_easy_first, plan.rank, plan.most_epochs) == (True, True, 2, 5)


def test_a_training_under_way_does_not_change_how_it_learns(tmp_path: Path) -> None:
    home = faked(tmp_path, FakeTrainer(steps=2000, pause=0.05))
    assert home.run("train", "--background").returncode == 0
    wait_for(home, "running")
    late = home.run("train", "--continue")
    assert late.returncode == 1
    assert "under way without this --continue" in late.stderr
    home.run("train", "--cancel")
    wait_for(home, "cancelled")


def test_a_queued_training_takes_the_bound_of_whoever_asks_next(tmp_path: Path) -> None:
    home = faked(tmp_path, FakeTrainer(), SHAMMAH_WORKER_ENABLED="0")
    with home.journal() as journal:
        base = journal.bases.at(SEEDLING)
        assert base is not None
        journal.trainings.queue(base.sha256, is_automatic=True, is_forced=False, most_memory_bytes=4 * 10**9)
        assert home.run("train", "--background", "--max-memory", "3GB").returncode == 0
        assert journal.trainings.at(1).most_memory_bytes == 3 * 10**9
    assert home.run("train").returncode == 0
    assert Job.read(tmp_path / "jobs" / "1").plan.most_memory_bytes == 3 * 10**9
