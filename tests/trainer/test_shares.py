"""What each of several processes has of the rows, the memory and the cores."""

import pytest
import torch

from shammah_trainer import machine
from shammah_trainer.budget import Machine
from shammah_trainer.spread import ALONE, LeftAlone, Spread


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_row_is_one_process_own_and_whoever_has_none_runs_one_that_weighs_nothing(size: int, count: int) -> None:
    shares = [Spread(rank=rank, size=size).own(range(count)) for rank in range(size)]
    assert sorted(row for rows, weighs in shares if weighs for row in rows) == list(range(count))
    assert all(rows for rows, _ in shares), "the others' layers may wait for it"


def test_processes_of_a_machine_share_its_memory_and_cores() -> None:
    two = Spread(size=4, local_size=2)
    whole = machine.look(torch.device("cpu"), threads=8)
    half = machine.look(torch.device("cpu"), threads=8, spread=two)
    assert half.threads == 4
    assert half.free_bytes == pytest.approx(whole.free_bytes / 2, rel=0.2)
    bounded = machine.look(torch.device("cpu"), threads=1, most_bytes=1000, spread=two)
    assert (bounded.free_bytes, bounded.threads, bounded.is_bounded) == (500, 1, True)


def test_a_mapped_file_counts_once_for_a_machine_and_a_sharded_one_once_for_all() -> None:
    cpu = torch.device("cpu")
    assert machine.held_bytes(1000, 100, cpu) == 1000
    assert machine.held_bytes(1000, 100, cpu, Spread(size=4, local_size=2)) == 500
    assert machine.held_bytes(1000, 100, torch.device("cuda"), Spread(size=4, local_size=2)) == 1000
    assert machine.held_bytes(1000, 100, cpu, Spread(size=4, local_size=2, is_sharded=True)) == 350


def test_a_lone_process_does_nothing_together() -> None:
    tensor, machine_ = torch.ones(2), Machine(1, 1)
    ALONE.add_up([tensor])
    assert tensor.tolist() == [1.0, 1.0]
    assert (ALONE.sum(0.1), ALONE.any(True), ALONE.same("x"), ALONE.every(3)) == (0.1, True, "x", [3])
    assert ALONE.agreed(machine_) == machine_
    assert ALONE.join() is None


def test_a_launcher_that_leaves_the_others_to_mpi_is_told_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")  # as `accelerate launch --cpu --num_processes 2` does, and no rank
    with pytest.raises(LeftAlone, match="--multi_gpu"):
        Spread.of_environment().join()
