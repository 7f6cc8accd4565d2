"""A trainer that is killed at any step, and resumed, makes the very adapter that it would have made."""

import contextlib
import math
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from shammah.child import new_lines
from shammah_convert.job import ADAPTER, CHECKPOINTS, DISK_FULL, PROGRESS, REPORT, Job, Plan, Report
from shammah_convert.lora import Matrix
from shammah_trainer import lora
from shammah_trainer.__main__ import DONE, main
from shammah_trainer.base import open_base
from shammah_trainer.data import Data
from shammah_trainer.fit import LEAST_EPOCH_STEPS, Cancelled, Fitted, fit
from shammah_trainer.health import Broken
from shammah_trainer.keeping import Checkpoints, Pace
from shammah_trainer.progress import Progress
from shammah_trainer.session import train
from tests.disk_order import published, recorded, without_missing
from tests.forks import codes, fork, fork_trainer
from tests.job_folders import PLAN, example, job_on, prepare, told
from tests.qwens import Kind
from tests.trainer.fitting import Notes

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

ALWAYS = Pace(seconds=0.0, share=math.inf)
EPOCH_ENDS = Pace(seconds=math.inf, share=math.inf)
SMALL = Plan(rank=4, alpha=8.0, batch_rows=3, replay_rows=1, most_epochs=2, most_drift=100.0)
STEPS = 2 * LEAST_EPOCH_STEPS


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Kind().write(tmp_path_factory.mktemp("base") / "base.gguf")


@pytest.fixture(scope="module")
def job(base: Path) -> Job:
    return job_on(base)


@dataclass(frozen=True)
class Run:
    """What a loop did."""

    fitted: Fitted | None
    steps: dict[int, tuple[tuple[int, ...], float]]
    resumed_after: int
    matrices: dict[str, Matrix]


def run(path: Path, seed: int, keeper: Checkpoints | None = None, most_steps: int = 10**9) -> Run:
    """Train for so many steps at most; the seed is of the matrices' beginning."""
    torch.manual_seed(seed)
    base = open_base(path)
    model = lora.attach(base.model, rank=4, alpha=8.0)
    rows = [base.encoder.row(example(letter, "which?", answer=letter)) for letter in "ABCD"]
    data = Data(rows, [10.0, 3.0, 1.0, 1.0], list("ABCD"), rows[:1], rows[2:], base.padding)
    notes, fitted = Notes(most_steps), None
    with contextlib.suppress(Cancelled):
        fitted = fit(model, data, SMALL, base.config.hidden_size, 1, notes, keeper)
    steps = {step.step: (step.drawn, step.loss) for step in notes.steps}
    return Run(fitted, steps, notes.resumed_after, {name: pair[1] for name, pair in lora.pairs(model).items()})


def keeper(folder: Path, pace: Pace = ALWAYS) -> Checkpoints:
    return Checkpoints(folder, "key", pace, time.monotonic())


@pytest.fixture(scope="module")
def whole(base: Path) -> Run:
    """What is done in one go."""
    return run(base, 0)


@pytest.mark.parametrize("cut", [2, 7, 8, 9, 10, STEPS - 1, STEPS])
def test_cut_off_after_any_step_it_ends_with_the_same_draws_losses_and_matrices(
    base: Path, whole: Run, tmp_path: Path, cut: int
) -> None:
    first = run(base, 0, keeper(tmp_path), cut)
    assert first.fitted is None
    second = run(base, 99, keeper(tmp_path))
    assert second.resumed_after == cut - 1, "the cut comes before the checkpoint of its step"
    assert first.steps | second.steps == whole.steps
    assert second.fitted == whole.fitted
    for name, lora_b in whole.matrices.items():
        np.testing.assert_array_equal(second.matrices[name], lora_b)


def test_cut_off_twice_from_the_ends_of_epochs_it_ends_the_same(base: Path, whole: Run, tmp_path: Path) -> None:
    run(base, 0, keeper(tmp_path, EPOCH_ENDS), LEAST_EPOCH_STEPS + 3)
    again = run(base, 98, keeper(tmp_path, EPOCH_ENDS), 2)
    assert again.resumed_after == LEAST_EPOCH_STEPS
    last = run(base, 99, keeper(tmp_path, EPOCH_ENDS))
    assert last.fitted == whole.fitted
    for name, lora_b in whole.matrices.items():
        np.testing.assert_array_equal(last.matrices[name], lora_b)


def test_one_that_had_ended_makes_no_other_step(base: Path, tmp_path: Path) -> None:
    whole = run(base, 0, keeper(tmp_path))
    again = run(base, 99, keeper(tmp_path))
    assert (again.steps, again.resumed_after, again.fitted) == ({}, STEPS, whole.fitted)
    for name, lora_b in whole.matrices.items():
        np.testing.assert_array_equal(again.matrices[name], lora_b)


# The whole trainer, killed by the kernel.


class Doomed(Progress):
    """Kills its process, as the kernel or a user would, at a step or an event."""

    moment = ""

    def say(self, event: str, **facts: object) -> None:
        """Say it, and die."""
        super().say(event, **facts)
        if self.moment in (event, str(facts.get("step", ""))):
            os.kill(os.getpid(), signal.SIGKILL)


def doomed(folder: Path, moment: str) -> None:
    progress = Doomed(folder)
    progress.moment = moment
    train(folder, progress, ALWAYS)


def test_killed_at_steps_and_between_its_files_it_makes_the_same_adapter_and_report(job: Job, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("whole", "killed")]
    for folder in folders:
        folder.mkdir()
        prepare(folder, job)
    whole, killed = folders
    assert codes([fork_trainer(whole)]) == [DONE]
    for moment in ("3", "11", "evaluating", "evaluated"):
        assert codes([fork(doomed, killed, moment)]) == [-signal.SIGKILL], (moment, told(killed)[-1])
    (killed / ADAPTER).unlink()
    assert codes([fork_trainer(killed)]) == [DONE]
    assert (killed / ADAPTER).read_bytes() == (whole / ADAPTER).read_bytes()
    reports = [replace(Report.read(folder), seconds=0.0) for folder in folders]
    assert reports[0] == reports[1]
    steps = reports[0].steps
    assert [line["step"] for line in told(killed) if line["event"] == "resumed"] == [2, 10, steps, steps]


def test_a_line_that_a_kill_tore_is_ended_before_the_next(tmp_path: Path) -> None:
    (tmp_path / PROGRESS).write_text('{"event": "step"}\n{"event": "st')
    with contextlib.closing(Progress(tmp_path)) as progress:
        progress.say("opening")
    with (tmp_path / PROGRESS).open(encoding="utf-8") as stream:
        assert [line["event"] for line in new_lines(stream)] == ["step", "opening"]


def test_a_loss_that_broke_leaves_no_checkpoint_that_would_break_again(job: Job, tmp_path: Path) -> None:
    wild = replace(job, plan=replace(PLAN, learning_rate=1e20))
    folder = prepare(tmp_path, wild)
    with (
        contextlib.closing(Progress(folder)) as progress,
        pytest.raises(Broken, match=r"in step \d+, on (right|plain)"),
    ):
        train(folder, progress, ALWAYS)
    assert list(folder.glob(CHECKPOINTS)) == []


# The disk.


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_checkpoints_adapter_and_report_reach_the_disk_in_this_order(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = prepare(tmp_path, replace(job, plan=replace(PLAN, most_epochs=1)))
    with contextlib.closing(Progress(folder)) as progress:
        events = recorded(monkeypatch)
        train(folder, progress, ALWAYS)
    names = [f"checkpoint-{step:08}.safetensors" for step in range(1, LEAST_EPOCH_STEPS + 1)]
    expected = published(folder, *names[:2])
    for old, name in zip(names, names[2:], strict=False):
        expected += [*published(folder, name), ("unlink", old)]  # one that is older goes last
    assert without_missing(events) == [*expected, *published(folder, ADAPTER, REPORT)]


def with_little_room(folder: Path) -> int:
    most = 50_000  # a checkpoint takes 90,000 bytes
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    return main([os.fspath(folder)])


def test_a_disk_that_is_full_ends_it_with_its_own_code_and_leaves_no_half_file(job: Job, tmp_path: Path) -> None:
    folder = prepare(tmp_path, job)
    assert codes([fork(with_little_room, folder)]) == [DISK_FULL], told(folder)[-1]
    assert "File too large" in told(folder)[-1]["error"]
    assert not {ADAPTER, REPORT} & {path.name for path in folder.iterdir()}
    assert list(folder.glob("*.partial")) == []
