"""The training benchmark without a peer: it runs on the seedling, within the memory that its planner gives it."""

from bench.training import Work, measure_alone
from shammah.bases import SEEDLING
from shammah_convert.opened import OpenBase
from shammah_trainer.budget import Size


def test_a_side_alone_tells_its_speed_and_its_memory_beside_the_aim() -> None:
    file = OpenBase(SEEDLING)
    size = Size(file.config, file.rows, file.size_bytes)
    speed, memory = measure_alone("seedling", SEEDLING, size, Work(tokens=64, rounds=1, threads=1), 1_800_000_000)
    assert speed.value > 0
    assert speed.unit == "/s"
    assert memory.aim == "<= 1.8"
    assert memory.is_reached == (memory.value <= 1.8)
    assert 0.2 < memory.value < 3.0, "torch alone takes a fifth of a gigabyte"
