"""The one path of training: from a job folder to an adapter and a report."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel

from shammah_convert.failpoints import reach
from shammah_convert.job import ADAPTER, HELD_OUT, Job, Measure, Move, Report
from shammah_convert.lora import Adapter, Card, read_lora, write_lora
from shammah_convert.norms import weight_norm
from shammah_convert.opened import OpenBase
from shammah_trainer import lora, machine
from shammah_trainer.base import Base, Compute, build, encoder
from shammah_trainer.budget import Budget, Size, TooLittleMemory, plan
from shammah_trainer.checkpoint import key_of
from shammah_trainer.compare import compared, look
from shammah_trainer.data import Data
from shammah_trainer.dataset import Row
from shammah_trainer.evaluate import difficulties, probes
from shammah_trainer.fit import Fitted, fit
from shammah_trainer.health import Broken
from shammah_trainer.keeping import Checkpoints, Pace, Shared
from shammah_trainer.material import Material
from shammah_trainer.progress import Progress
from shammah_trainer.sharded import held_bytes, shard
from shammah_trainer.spread import ALONE, Spread


@dataclass(frozen=True, slots=True)
class Opened:
    """A job, ready to be done.

    Attributes:
        job: With the rank that fits.
        model: The base with the candidate, and with what is active beside it.
        active: Names in the model of what is active.
        watched: What is compared before and after, by its file.
        left_out: Ids of examples that are too long.
    """

    job: Job
    base: Base
    model: PeftModel
    active: tuple[str, ...]
    data: Data
    watched: dict[str, Sequence[Row]]
    left_out: tuple[str, ...]


def train(
    folder: Path,
    progress: Progress,
    pace: Pace = Pace(),  # noqa: B008 -- frozen
    spread: Spread = ALONE,
) -> Report:
    """Do a job, from its last checkpoint where there is one: train an adapter on the served base, compare, write.

    The adapter starts fresh, or from what is active where the plan says so, and is compared with that; both files are
    whole and on the disk at the end. Of several processes, all come to the same report, and the first one writes.

    Raises:
        BadJob: The folder does not hold one.
        BadBase: The base cannot be trained.
        BadAdapter: An active adapter cannot be read.
        TooLittleMemory: Nothing fits the memory that is free, or that the job allows.
        NothingToLearn: No example fits the context.
        Broken: The loss or the gradient is no number any more, or the loss has exploded.
        Cancelled: Somebody asked it to stop.
        OSError: A file cannot be written.
    """
    started = time.monotonic()
    opened = _open(folder, Job.read(folder), progress, spread)
    job, model, data = opened.job, opened.model, opened.data
    with lora.using(model, opened.active):
        before = look(model, opened.watched, data, bool(opened.active), spread)
    progress.check()
    checkpoints = Checkpoints(folder, key_of(job, data.all_rows), pace, started, progress.set_aside)
    fitted = _fit(opened, progress, checkpoints, spread)
    lora.round_off(model)
    progress.say("evaluating", stopped=fitted.stopped)
    compare = compared(before, look(model, opened.watched, data, spread=spread))
    report = replace(_report(opened, fitted, compare, progress), seconds=round(checkpoints.seconds, 2))
    progress.check()
    if spread.is_first:
        _write(folder, opened, report)
    progress.say("evaluated", seconds=report.seconds)
    return report


def _fit(opened: Opened, progress: Progress, checkpoints: Checkpoints, spread: Spread) -> Fitted:
    """Train, and keep what a step changes until it is over."""
    job, width = opened.job, opened.base.config.hidden_size
    keeper = checkpoints if spread.is_alone else Shared(checkpoints, spread)
    try:
        return fit(opened.model, opened.data, job.plan, width, job.seed, progress, keeper, spread)
    except Broken:
        keeper.drop()  # what led there would lead there again
        raise


def _report(opened: Opened, fitted: Fitted, compare: dict[str, Any], progress: Progress) -> Report:
    """All that is known but the time it took."""
    data, watched = opened.data, opened.watched
    return Report(
        **compare,
        weight_norm=_weight_norm(opened.model, opened.job, opened.base),
        losses=tuple(progress.losses),
        epochs=fitted.epochs,
        steps=fitted.steps,
        seconds=0.0,
        stopped=fitted.stopped,
        probes=probes(opened.model, [*data.aims, *watched[HELD_OUT], *data.general]),
        tensor_types=opened.base.tensor_types,
        left_out=opened.left_out,
    )


def _write(folder: Path, opened: Opened, report: Report) -> None:
    """The adapter, and then the report: whoever finds that finds both."""
    reach("training.before_adapter")
    write_lora(folder / ADAPTER, _adapter(opened.model, opened.job, opened.base, report), opened.base.config)
    reach("training.after_adapter")
    report.write(folder)
    reach("training.after_report")


def _open(folder: Path, job: Job, progress: Progress, spread: Spread) -> Opened:
    """Read what is to be learnt, see what fits, and open the base accordingly."""
    torch.set_num_threads(spread.threads(job.threads))
    torch.manual_seed(job.seed)
    progress.say("opening", base=job.base_name)
    file = OpenBase(Path(job.base_path))
    encodes = encoder(file)
    material = Material.read(folder, encodes, min(job.plan.most_tokens, file.config.context_tokens))
    device, budget = _budget(job, file, material, spread)
    progress.budget(budget)
    if budget.is_thrifty:
        machine.return_memory_at_once()
    job = replace(job, plan=job.plan.with_rank(budget.rank))
    base = build(file, encodes, _compute(device, budget, spread.is_sharded))
    progress.release = base.workspace.release
    model = lora.attach(base.model, job.plan.rank, job.plan.alpha, budget.is_checkpointed)
    active = lora.attach_active(model, job.active, base.config)
    if job.plan.continues:
        lora.start_from(model, active)
    data, watched = material.data(job.corrections, budget, base.padding), material.watched(job.corrections, budget)
    if job.plan.is_varied:
        data = spread.same(material.varied(data, budget, base, job.seed))
    if spread.is_sharded:
        shard(model, device, spread)
        progress.say("sharded", processes=spread.size, bytes_each=held_bytes(model), bytes=file.size_bytes)
    if job.plan.is_easy_first:
        found = difficulties(model, data.rows, data.padding, data.batch_tokens, spread)
        data = replace(data, difficulties=found)
    held_out = len(watched[HELD_OUT]) + len(data.general)
    progress.say("comparing", examples=len(data.rows), replay=len(data.replay), held_out=held_out)
    return Opened(
        job=job,
        base=base,
        model=model,
        active=active,
        data=data,
        watched=watched,
        left_out=material.left_out(budget),
    )


def _budget(job: Job, file: OpenBase, material: Material, spread: Spread) -> tuple[torch.device, Budget]:
    """Where to train, and how: on a GPU, and where it is too small for that, on the processor; all processes alike."""
    *gpus, cpu = machine.devices(spread)
    for device in gpus:
        with contextlib.suppress(TooLittleMemory):
            return device, _plan(job, file, material, device, spread)
    return cpu, _plan(job, file, material, cpu, spread)


def _plan(job: Job, file: OpenBase, material: Material, device: torch.device, spread: Spread) -> Budget:
    """What fits a device of each process."""
    held = machine.held_bytes(file.size_bytes, file.largest_bytes, device, spread)
    seen = spread.agreed(machine.look(device, job.threads, job.plan.most_memory_bytes, spread))
    return plan(seen, Size(file.config, file.rows, held), job.plan.rank, material.longest_tokens(job.plan))


def _compute(device: torch.device, budget: Budget, is_sharded: bool) -> Compute:
    return Compute(
        dtype=torch.bfloat16 if budget.is_bfloat16 else torch.float32,
        device=device,
        workspace_values=budget.workspace_values,
        threads=budget.threads,
        is_sharded=is_sharded,
    )


def _weight_norm(model: PeftModel, job: Job, base: Base) -> Move:
    """Of the active adapters together, and of the candidate."""
    active = [(read_lora(Path(file.path), base.config), file.scale) for file in job.active]
    candidate = Adapter(Card(job.name, job.base_name, ""), base.config.architecture, job.plan.alpha, lora.pairs(model))
    return Move(Measure(weight_norm(active)), Measure(weight_norm([(candidate, 1.0)])))


def _adapter(model: PeftModel, job: Job, base: Base, report: Report) -> Adapter:
    scores = {
        "learnt.exact": report.learnt.after.exact / max(1, report.learnt.after.rows),
        "learnt.loss": report.learnt.after.loss,
        "general.loss": report.general.after.loss,
        "drift": report.drift.after.value,
        "weight_norm": report.weight_norm.after.value,
    }
    if report.held_out.after.rows:
        scores["held_out.loss"] = report.held_out.after.loss
    card = Card(
        name=job.name,
        version=job.version,
        base_name=base.name,
        size_label=base.size_label,
        base_sha256=job.base_sha256,
        examples_sha256=job.examples_sha256,
        parent="+".join(file.name for file in job.active),
        scores=scores,
    )
    return Adapter(card, base.config.architecture, job.plan.alpha, lora.pairs(model))
