"""One training on two processes that meet over gloo: what one process would do, and what ends one ends both."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from shammah_convert import pauses
from shammah_convert.base import About, write_base
from shammah_convert.chat import Message
from shammah_convert.job import ADAPTER, CANCEL, CANCELLED, CHECKPOINTS, EXIT, JOB, PROGRESS, Job, Report
from shammah_convert.lora import read_lora
from shammah_convert.opened import OpenBase
from shammah_trainer import lora
from shammah_trainer.__main__ import DONE, FAILED, main
from shammah_trainer.base import Compute, open_base
from shammah_trainer.dataset import collate
from shammah_trainer.losses import drift, tell
from shammah_trainer.progress import Progress
from shammah_trainer.session import train
from shammah_trainer.sharded import shard
from shammah_trainer.spread import Spread
from tests.forks import codes, end, fork
from tests.job_folders import LEARNT, PLAN, example, job_on, prepare, told
from tests.qwens import Kind, vocabulary

TOLERANCE = 1e-4
"""Nats a token: sums in another order, over some dozens of steps."""

SECONDS_TO_END = 30.0
ACCELERATE = (sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "2", "--main_process_port", "0")
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
REJECTED = (Message("assistant", "dir"),)
MANY = [
    replace(LEARNT[0], rejected=REJECTED),
    LEARNT[1],
    *(example(f"e{place}", f"what is {place}", answer=f"it is {place}") for place in range(7)),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Kind("qwen3", "Q8_0").write(tmp_path_factory.mktemp("base") / "base.gguf")


@pytest.fixture(scope="module")
def job(base: Path) -> Job:
    return replace(job_on(base), plan=replace(PLAN, most_epochs=3, preference_weight=1.0, is_easy_first=True))


def by_hand(folders: Sequence[Path], *options: str) -> list[int | None]:
    """Start a trainer for each folder, as without a launcher; their exit codes."""
    return codes(meet(main, [[[os.fspath(folder), *options]] for folder in folders]))


def meet(target: Callable[..., int | None], arguments: Sequence[Sequence[object]]) -> list[BaseProcess]:
    """Start processes that are to meet, each with arguments of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    meeting |= {"WORLD_SIZE": str(len(arguments)), "LOCAL_WORLD_SIZE": str(len(arguments))}
    return [fork(target, *each, **meeting, RANK=str(rank)) for rank, each in enumerate(arguments)]


def launched(folder: Path, launcher: Sequence[str], *options: str) -> "subprocess.Popen[bytes]":
    """Start a launcher as the runtime does."""
    arguments = [*launcher, *options, "-m", "shammah_trainer", str(folder), "--guarded", "--launched"]
    with (folder / "trainer.log").open("wb") as log:
        return subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=log, stderr=log)


def run(folder: Path, launcher: Sequence[str], *options: str) -> int:
    """Let a launcher do the job of a folder; its exit code."""
    child = launched(folder, launcher, *options)
    assert child.stdin is not None
    with child.stdin:
        return child.wait(120)


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in told(folder) if line["event"] == "step"]


def assert_same(folder: Path, other: Path, base: Path) -> None:
    """The same draws, losses and stop, and nearly the same adapter."""
    np.testing.assert_allclose(losses(folder), losses(other), atol=TOLERANCE, rtol=0)
    config = OpenBase(base).config
    mine, others = (read_lora(path / ADAPTER, config).pairs for path in (folder, other))
    for module, pair in mine.items():
        for matrix, other_matrix in zip(pair, others[module], strict=True):
            np.testing.assert_allclose(matrix, other_matrix, atol=2e-3)
    report, other_report = Report.read(folder), Report.read(other)
    assert (report.steps, report.stopped) == (other_report.steps, other_report.stopped)
    assert report.learnt.after.loss == pytest.approx(other_report.learnt.after.loss, abs=1e-2)


# The same training.


@pytest.fixture(scope="module")
def alone(job: Job, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process makes of it."""
    folder = prepare(tmp_path_factory.mktemp("alone"), job, MANY)
    with contextlib.closing(Progress(folder)) as progress:
        train(folder, progress)
    return folder


def test_two_processes_train_what_one_does(alone: Path, job: Job, base: Path, tmp_path: Path) -> None:
    folder = prepare(tmp_path, job, MANY)
    assert by_hand([folder, folder], "--launched") == [DONE, DONE], told(folder)[-1]
    assert (folder / EXIT).read_text() == str(DONE)
    assert_same(folder, alone, base)
    events = [line["event"] for line in told(folder)]
    assert events == [line["event"] for line in told(alone)], "one process alone speaks"


def test_under_fsdp_each_process_holds_half_of_the_base_and_trains_the_same(
    alone: Path, job: Job, base: Path, tmp_path: Path
) -> None:
    folder = prepare(tmp_path, job, MANY)
    assert run(folder, ACCELERATE, "--use_fsdp") == DONE, (folder / "trainer.log").read_text()
    assert_same(folder, alone, base)
    (sharded,) = (line for line in told(folder) if line["event"] == "sharded")
    assert sharded["processes"] == 2
    assert 0.4 < sharded["bytes_each"] / sharded["bytes"] < 0.55, sharded


def test_two_processes_go_on_from_the_checkpoint_of_one(alone: Path, job: Job, base: Path, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "first", tmp_path / "second"
    for path in (folder, elsewhere):  # another machine's folder has no checkpoint
        path.mkdir()
        prepare(path, job, MANY)
    first, *_ = sorted(alone.glob(CHECKPOINTS))
    (folder / first.name).write_bytes(first.read_bytes())
    assert by_hand([folder, elsewhere]) == [DONE, DONE], told(folder)[-1]
    (resumed,) = (line["step"] for line in told(folder) if line["event"] == "resumed")
    assert resumed == int(first.stem.removeprefix("checkpoint-"))
    np.testing.assert_allclose(losses(folder), losses(alone)[resumed:], atol=TOLERANCE, rtol=0)
    assert not (elsewhere / ADAPTER).exists(), "the first process alone writes"
    assert not (elsewhere / PROGRESS).exists()


# Sharded by FSDP, whatever the base is, and however it is computed.


def gradients(path: Path, spread: Spread, is_sharded: bool, dtype: torch.dtype, is_checkpointed: bool) -> list[Any]:
    torch.manual_seed(0)
    base = open_base(path, Compute(dtype=dtype, is_sharded=is_sharded, workspace_values=20_000))
    model = lora.attach(base.model, 4, 8.0, is_checkpointed)
    for parameter in lora.parameters(model):
        torch.nn.init.normal_(parameter, std=0.05)
    if is_sharded:
        shard(model, torch.device("cpu"), spread)
    batch = collate([base.encoder.row(example("own", "say " * (1 + spread.rank)))], base.padding)
    torch.autograd.backward(tell(model, batch).nats.mean() + drift(model, batch))
    return [parameter.grad for parameter in lora.parameters(model)]


def compare_gradients(paths: Sequence[Path]) -> None:
    """What each of two processes does; it fails where a gradient differs."""
    torch.set_num_threads(1)
    spread = Spread.of_environment()
    spread.join()
    for path in paths:
        for how in ((torch.float32, False), (torch.float32, True), (torch.bfloat16, True)):
            whole, sharded = (gradients(path, spread, is_sharded, *how) for is_sharded in (False, True))
            for one, other in zip(whole, sharded, strict=True):
                assert torch.equal(one, other), (path, how)
    spread.leave()


def test_sharded_gradients_are_bit_by_bit_those_of_the_whole_base(tmp_path: Path) -> None:
    kinds = (Kind("qwen3", "Q8_0"), Kind("qwen2", "F16", is_tied=False))
    paths = [kind.write(tmp_path / f"{kind}.gguf") for kind in kinds]
    assert codes(meet(compare_gradients, [[paths], [paths]])) == [0, 0]


# What ends one ends both.


def test_an_error_in_one_process_ends_both_and_is_told(job: Job, tmp_path: Path) -> None:
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
        prepare(folder, job, MANY)
    (folders[1] / JOB).write_text("{}")
    assert by_hand(folders) == [FAILED, FAILED]
    last = told(folders[0])[-1]
    assert last["event"] == "failed"
    assert last["error"].startswith("process 1: ")
    assert JOB in last["error"]


def test_a_loss_that_is_no_number_in_one_process_ends_both_and_names_the_example(tmp_path: Path) -> None:
    kind = Kind("qwen3", "F16", is_tied=False)
    poisoned = poison(kind, tmp_path / "base.gguf")
    folder = tmp_path / "job"
    folder.mkdir()
    learnt = [example("sound", "list files", weight=10.0), example("poisoned", "what?", answer="ls", weight=10.0)]
    prepare(folder, replace(job_on(poisoned), corrections=("sound",)), learnt)
    assert by_hand([folder, folder]) == [FAILED, FAILED]
    assert told(folder)[-1]["event"] == "failed"
    assert "the loss is nan in step 1, on " in told(folder)[-1]["error"]
    assert "poisoned" in told(folder)[-1]["error"]


def poison(kind: Kind, path: Path) -> Path:
    """Write a model to which a question mark is no number, and nothing else is."""
    weights, words = kind.weights(), vocabulary(kind.architecture)
    weights["model.embed_tokens.weight"][words.tokens.index("?")] = np.nan
    write_base(path, kind.config, weights, words, About("poisoned", "apache-2.0"), kind.quantization)
    return path


@pytest.fixture
def endless(base: Path, tmp_path: Path) -> Iterator[Path]:
    """A job that takes minutes."""
    plan = replace(PLAN, batch_rows=2, learning_rate=1e-12, most_epochs=10_000)
    many = [example(f"e{place}", f"say {place}") for place in range(2000)]
    yield prepare(tmp_path, replace(job_on(base), corrections=("e0",), plan=plan), many)
    assert not (tmp_path / ADAPTER).exists()


def wait_for(folder: Path, event: str) -> None:
    deadline = time.monotonic() + 60
    while not (folder / PROGRESS).exists() or json.dumps({"event": event})[:-1] not in (folder / PROGRESS).read_text():
        assert time.monotonic() < deadline, f"it says no {event}"
        time.sleep(0.05)


def test_a_pause_stops_both_and_cancelling_within_ends_both_with_the_code_in_a_file(endless: Path) -> None:
    children = meet(main, [[[os.fspath(endless), "--launched"]]] * 2)
    try:
        wait_for(endless, "step")
        asked = pauses.ask(endless, pauses.Answering(os.getpid(), psutil.Process().create_time()))
        wait_for(endless, "paused")
        time.sleep(0.5)
        workers = [psutil.Process(child.pid) for child in children]
        seconds = [sum(worker.cpu_times()[:2]) for worker in workers]
        time.sleep(1.0)
        used = [sum(worker.cpu_times()[:2]) - before for worker, before in zip(workers, seconds, strict=True)]
        assert max(used) < 0.5, "both stand still"
        (endless / CANCEL).touch()
        for child in children:
            child.join(SECONDS_TO_END)
        asked.unlink()
        assert [child.exitcode for child in children] == [CANCELLED, CANCELLED]
    finally:
        end(children)
    assert (endless / EXIT).read_text() == str(CANCELLED)
    assert told(endless)[-1]["event"] == "cancelled"
    assert told(endless)[-1]["error"] == "it was cancelled"


def test_a_killed_launcher_leaves_no_process_behind(endless: Path) -> None:
    child, workers = launched(endless, TORCHRUN), list[psutil.Process]()
    assert child.stdin is not None
    try:
        wait_for(endless, "step")
        workers += psutil.Process(child.pid).children(recursive=True)
        assert len(workers) == 2
        child.kill()
        assert wait_gone(workers), "they outlive their launcher, whose stdin is still open"
    finally:
        child.kill()
        for worker in workers:
            with contextlib.suppress(psutil.Error):
                worker.kill()
        child.wait()
        child.stdin.close()


def wait_gone(processes: Sequence[psutil.Process]) -> bool:
    """Whether they end; here nobody may be there to bury them."""
    deadline = time.monotonic() + SECONDS_TO_END
    while time.monotonic() < deadline:
        if not any(is_alive(process) for process in processes):
            return True
        time.sleep(0.05)
    return False


def is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
