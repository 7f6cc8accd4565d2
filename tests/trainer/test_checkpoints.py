"""Checkpoints: whole and recognised or not used, two of them kept, and never in the way."""

import logging
import math
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from shammah_convert.job import CHECKPOINTS, Job
from shammah_trainer import lora
from shammah_trainer.base import open_base
from shammah_trainer.checkpoint import Damaged, Learner, Reached, key_of, read, write
from shammah_trainer.dataset import Row
from shammah_trainer.keeping import GENERATIONS, Checkpoints, Pace
from tests.job_folders import PLAN, job_on
from tests.qwens import Kind

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

ALWAYS = Pace(seconds=0.0, share=math.inf)
REACHED = Reached((2.5, 1 / 3), 0.1, 2, 1, seconds=12.5, stopped="")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Kind().write(tmp_path_factory.mktemp("base") / "base.gguf")


@pytest.fixture
def new(base: Path) -> Callable[[int, int], Learner]:
    """Learners that differ by their seeds alone."""

    def make(seed: int, rank: int = 4) -> Learner:
        torch.manual_seed(seed)
        model: PeftModel = lora.attach(open_base(base).model, rank, 8.0)
        return Learner.fresh(model, 1e-2, seed)

    return make


def walk(learner: Learner, steps: int) -> None:
    """Make steps with gradients by chance."""
    for _ in range(steps):
        for parameter in learner.parameters.values():
            parameter.grad = torch.rand(parameter.shape, generator=learner.chance) - 0.5
        learner.optimizer.step()


def same(one: Learner, other: Learner) -> bool:
    """Whether two learners hold the same, bit by bit."""
    first, second = one.tensors(), other.tensors()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def keeping(folder: Path, key: str = "mine", pace: Pace = ALWAYS) -> Checkpoints:
    return Checkpoints(folder, key, pace, time.monotonic())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_learner_comes_back_bit_by_bit_and_goes_on_as_if_nothing_had_been(
    new: Callable[..., Learner], tmp_path: Path
) -> None:
    kept, restored = new(1), new(2)
    walk(kept, 3)
    keeping(tmp_path).keep(kept, REACHED)
    assert not same(kept, restored)
    reached = keeping(tmp_path).restore(restored)
    assert reached is not None
    assert replace(reached, seconds=12.5) == REACHED
    assert same(kept, restored)
    for learner in (kept, restored):
        walk(learner, 2)
    torch.set_rng_state(kept.tensors()["torch"])
    assert same(kept, restored)


def test_what_did_best_comes_back_too(new: Callable[..., Learner], tmp_path: Path) -> None:
    learner, other, path = new(1), new(2), tmp_path / "checkpoint"
    walk(learner, 1)
    learner.remember()
    best = [parameter.detach().half().float() for parameter in learner.parameters.values()]
    walk(learner, 2)
    write(path, learner.tensors(), REACHED, "key")
    other.load(read(path, "key")[0])
    assert same(learner, other)
    other.go_back()
    assert all(torch.equal(*both) for both in zip(best, other.parameters.values(), strict=True))


def test_the_chance_that_nobody_named_comes_back_too(new: Callable[..., Learner], tmp_path: Path) -> None:
    learner = new(1)
    keeping(tmp_path).keep(learner, REACHED)
    wanted = torch.rand(3)
    keeping(tmp_path).restore(learner)
    assert torch.equal(torch.rand(3), wanted)


@pytest.mark.parametrize("place", [3, 40, 400, -5000, -1])
def test_a_changed_byte_is_noticed(new: Callable[..., Learner], tmp_path: Path, place: int) -> None:
    learner, file = new(1), tmp_path / "file"
    walk(learner, 1)
    write(file, learner.tensors(), REACHED, "mine")
    read(file, "mine")
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    with pytest.raises(Damaged):
        read(file, "mine")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_cut_file_is_noticed(new: Callable[..., Learner], tmp_path: Path, share: float) -> None:
    file = tmp_path / "file"
    write(file, new(1).tensors(), REACHED, "mine")
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(Damaged):
        read(file, "mine")


def test_a_damaged_one_falls_back_on_the_one_before(
    new: Callable[..., Learner], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    learner, restored = new(1), new(2)
    walk(learner, 1)
    keeping(tmp_path).keep(learner, Reached((1.0,)))
    before = {name: value.clone() for name, value in learner.tensors().items()}
    walk(learner, 1)
    keeping(tmp_path).keep(learner, Reached((1.0, 0.5)))
    newest = max(tmp_path.glob(CHECKPOINTS))
    newest.write_bytes(newest.read_bytes()[:-1])
    with caplog.at_level(logging.WARNING):
        reached = keeping(tmp_path).restore(restored)
    assert reached is not None
    assert reached.losses == (1.0,)
    assert all(torch.equal(value, before[name]) for name, value in restored.tensors().items())
    assert f"{newest} is not used" in caplog.text


def test_a_damaged_one_is_set_aside_under_a_dated_name_and_said(new: Callable[..., Learner], tmp_path: Path) -> None:
    heard: list[tuple[Path, Path]] = []
    for steps in (8, 9):
        keeping(tmp_path).keep(new(1), Reached((1.0,) * steps))
    newest = max(tmp_path.glob(CHECKPOINTS))
    newest.write_bytes(spoiled := newest.read_bytes()[:-1])
    checkpoints = Checkpoints(tmp_path, "mine", ALWAYS, time.monotonic(), lambda *names: heard.append(names))
    checkpoints.restore(new(1))
    ((was, now),) = heard
    assert was == newest
    assert now.name.startswith(f"{newest.name}.aside-")
    for steps in (9, 10, 11):
        checkpoints.keep(new(1), Reached((1.0,) * steps))
    assert now.read_bytes() == spoiled, "a later checkpoint took it away"
    assert keeping(tmp_path).restore(new(1)) is not None, "it is in the way"
    assert len(heard) == 1


def test_two_are_kept_and_none_where_they_are_dropped(new: Callable[..., Learner], tmp_path: Path) -> None:
    learner, checkpoints = new(1), keeping(tmp_path)
    for steps in (8, 9, 10, 100):
        checkpoints.keep(learner, Reached((1.0,) * steps))
    assert names(tmp_path) == ["checkpoint-00000010.safetensors", "checkpoint-00000100.safetensors"]
    assert len(names(tmp_path)) == GENERATIONS
    checkpoints.drop()
    assert names(tmp_path) == []


def test_one_that_took_another_course_and_is_further_does_not_crowd_out_new_ones(
    new: Callable[..., Learner], tmp_path: Path
) -> None:
    for place, steps in enumerate((32, 40)):
        keeping(tmp_path, "theirs").keep(new(1), Reached((1.0,) * steps))
        os.utime(max(tmp_path.glob(CHECKPOINTS)), (place, place))
    for steps in (8, 16):
        keeping(tmp_path, "mine").keep(new(1), Reached((1.0,) * steps))
    assert names(tmp_path) == ["checkpoint-00000008.safetensors", "checkpoint-00000016.safetensors"]


def test_a_half_that_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-00000008.safetensors.partial").write_bytes(b"half")
    keeping(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_another_trainings_checkpoint_is_not_used(new: Callable[..., Learner], tmp_path: Path) -> None:
    keeping(tmp_path, "theirs").keep(new(1), REACHED)
    assert keeping(tmp_path, "mine").restore(new(2)) is None
    assert keeping(tmp_path, "theirs").restore(new(2, rank=2)) is None, "its matrices have another rank"
    assert keeping(tmp_path, "theirs").restore(new(2)) is not None
    assert len(names(tmp_path)) == 1
    assert ".aside-" not in names(tmp_path)[0], "it is no damage"


def test_what_makes_another_training_changes_the_key() -> None:
    job, rows = job_on(Path("base.gguf")), [Row((1, 2, 3), 1), Row((4, 5), 1)]
    others: list[Job] = [
        replace(job, base_sha256="0" * 64),
        replace(job, examples_sha256="0" * 64),
        replace(job, seed=1),
        replace(job, plan=PLAN.with_rank(2)),
        replace(job, plan=replace(PLAN, learning_rate=0.5)),
        replace(job, corrections=()),
    ]
    keys = [key_of(other, rows) for other in others]
    keys += [key_of(job, rows[:1]), key_of(job, rows[::-1]), key_of(job, [Row((1, 2, 3), 2), rows[1]])]
    assert len({key_of(job, rows), *keys}) == 1 + len(keys)
    assert key_of(replace(job, base_path="elsewhere.gguf", threads=9), rows) == key_of(job, rows)


@pytest.mark.parametrize(
    ("since", "cost", "is_epoch_over", "is_due"),
    [
        (59.0, 0.1, False, False),
        (60.0, 0.1, False, True),
        (3.0, 0.1, True, True),
        (1.0, 0.1, True, False),  # it would take a tenth of the time
        (60.0, 10.0, False, False),  # a large adapter on a slow disk
        (60.0, 10.0, True, False),
        (200.0, 10.0, False, True),
        (0.5, 0.0, True, True),  # the first
    ],
)
def test_one_is_due_by_time_and_takes_a_twentieth_of_it(
    since: float, cost: float, is_epoch_over: bool, is_due: bool
) -> None:
    assert Pace().is_due(since, cost, is_epoch_over) is is_due


def test_the_time_of_earlier_processes_counts(new: Callable[..., Learner], tmp_path: Path) -> None:
    Checkpoints(tmp_path, "mine", ALWAYS, time.monotonic() - 1000).keep(new(1), REACHED)
    checkpoints = keeping(tmp_path)
    checkpoints.restore(new(1))
    assert 1000 <= checkpoints.seconds < 1060
