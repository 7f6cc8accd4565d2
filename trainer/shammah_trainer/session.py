"""The one path of training: from a job folder to an adapter and a report."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from peft import PeftModel

from shammah_convert import examples
from shammah_convert.examples import Example
from shammah_convert.job import ADAPTER, EXAMPLES, GENERAL, HELD_OUT, PARAPHRASES, REPLAY, Job, Measure, Move, Report
from shammah_convert.lora import Adapter, Card, read_lora, write_lora
from shammah_convert.norms import weight_norm
from shammah_convert.opened import OpenBase
from shammah_trainer import lora
from shammah_trainer.base import BYTES_A_PARAMETER, Base, open_base
from shammah_trainer.dataset import BATCH_TOKENS, Row
from shammah_trainer.evaluate import Tally, change, drift, probes, tally
from shammah_trainer.fit import Data, fit
from shammah_trainer.progress import Progress

# Beside the weights and what a batch takes: libraries, the adapter with its moments.
SPARE_BYTES = 1_200_000_000
LEAST_BATCH_TOKENS = 256


class TooLittleMemory(RuntimeError):
    """The unpacked model does not fit; the text has the numbers."""


class NothingToLearn(ValueError):
    """The job holds no example that the model could read whole."""


def train(folder: Path, progress: Progress) -> Report:
    """Do a job: train a fresh adapter on the served base, compare it with what is active, write both files.

    Raises:
        BadJob: The folder does not hold one.
        BadBase: The base cannot be trained.
        BadAdapter: An active adapter cannot be read.
        TooLittleMemory: The unpacked base does not fit.
        NothingToLearn: No example fits the context.
        Broken: The loss is no number any more.
        Cancelled: Somebody asked it to stop.
    """
    started = time.monotonic()
    job = Job.read(folder)
    torch.set_num_threads(job.threads)
    torch.manual_seed(job.seed)
    progress.say("opening", base=job.base_name)
    batch_tokens = _batch_tokens(Path(job.base_path))
    base = open_base(Path(job.base_path))
    data, watched, left_out = _data(folder, job, base, batch_tokens)
    model = lora.attach(base.model, job.plan.rank, job.plan.alpha)
    active = lora.attach_active(model, job.active, base.config)
    held_out = len(watched[HELD_OUT]) + len(data.general)
    progress.say("comparing", examples=len(data.rows), replay=len(data.replay), held_out=held_out)
    with lora.using(model, active):
        before = _look(model, watched, base.padding, is_adapted=bool(active))
    progress.check()
    fitted = fit(model, data, job.plan, base.config.hidden_size, job.seed, progress)
    lora.round_off(model)
    progress.say("evaluating", stopped=fitted.stopped)
    report = Report(
        **_compared(before, _look(model, watched, base.padding)),
        weight_norm=_weight_norm(model, job, base),
        losses=tuple(progress.losses),
        epochs=fitted.epochs,
        steps=fitted.steps,
        seconds=round(time.monotonic() - started, 2),
        stopped=fitted.stopped,
        probes=probes(model, [*data.aims, *watched[HELD_OUT], *data.general]),
        tensor_types=base.tensor_types,
        left_out=left_out,
    )
    progress.check()
    write_lora(folder / ADAPTER, _adapter(model, job, base, report), base.config)
    report.write(folder)
    progress.say("evaluated", seconds=report.seconds)
    return report


@dataclass(frozen=True, slots=True)
class _Look:
    """What a model makes of all that is compared, by its file, and how far it has moved."""

    tallies: dict[str, Tally]
    drift: Measure


def _look(model: PeftModel, watched: dict[str, Sequence[Row]], padding: int, is_adapted: bool = True) -> _Look:
    """Look at all that is compared; the bare base has not moved."""
    tallies = {name: tally(model, rows, padding) for name, rows in watched.items()}
    return _Look(tallies, drift(model, watched[GENERAL], padding) if is_adapted else Measure())


def _compared(before: _Look, after: _Look) -> dict[str, Any]:
    """The parts of a report that compare."""
    parts = {"learnt": EXAMPLES, "held_out": HELD_OUT, "general": GENERAL, "paraphrases": PARAPHRASES}
    changes = {part: change(before.tallies[name], after.tallies[name]) for part, name in parts.items()}
    return {**changes, "drift": Move(before.drift, after.drift)}


def _batch_tokens(path: Path) -> int:
    """How many tokens a pass may have, by the memory that is free.

    Raises:
        TooLittleMemory: Not even a few.
    """
    file = OpenBase(path)
    shape, available = file.config, psutil.virtual_memory().available
    # What is kept for the backward pass, in float32, as counted on the 0.5B and 1.5B shapes; logits three times.
    of_layers = shape.layers * (5 * shape.intermediate_size + 18 * shape.hidden_size)
    bytes_a_token = 4 * (of_layers + 3 * file.rows)
    fixed = file.parameters * BYTES_A_PARAMETER + SPARE_BYTES
    tokens = (available - fixed) // bytes_a_token
    if tokens < LEAST_BATCH_TOKENS:
        needed = fixed + LEAST_BATCH_TOKENS * bytes_a_token
        raise TooLittleMemory(
            f"training {path.name} takes {needed / 1e9:.1f} GB, and {available / 1e9:.1f} GB are free"
        )
    return min(BATCH_TOKENS, tokens)


def _data(
    folder: Path, job: Job, base: Base, batch_tokens: int
) -> tuple[Data, dict[str, Sequence[Row]], tuple[str, ...]]:
    """What is learnt; what is compared, by its file; and the ids of examples that are too long to be read whole."""
    most_tokens = min(job.plan.most_tokens, base.config.context_tokens, batch_tokens)
    learnt = _rows(folder / EXAMPLES, base, most_tokens)
    fitting = [(example, row) for example, row in learnt if row is not None]
    if not fitting:
        raise NothingToLearn(f"no example is at most {most_tokens:,} tokens long")
    data = Data(
        rows=[row for _, row in fitting],
        weights=[example.weight for example, _ in fitting],
        ids=[example.id for example, _ in fitting],
        corrections=[row for example, row in fitting if example.id in job.corrections],
        replay=_fitting(folder / REPLAY, base, most_tokens),
        padding=base.padding,
        batch_tokens=batch_tokens,
        general=_fitting(folder / GENERAL, base, most_tokens),
    )
    watched = {
        EXAMPLES: data.aims,
        HELD_OUT: _fitting(folder / HELD_OUT, base, most_tokens),
        GENERAL: data.general,
        PARAPHRASES: _fitting(folder / PARAPHRASES, base, most_tokens),
    }
    return data, watched, tuple(example.id for example, row in learnt if row is None)


def _fitting(file: Path, base: Base, most_tokens: int) -> list[Row]:
    """The rows of a file that are short enough; none where nobody wrote it."""
    return [row for _, row in _rows(file, base, most_tokens) if row is not None] if file.exists() else []


def _rows(file: Path, base: Base, most_tokens: int) -> Sequence[tuple[Example, Row | None]]:
    """The examples of a file with their tokens; None where those are too many."""
    found = [(example, base.encoder.row(example)) for example in examples.read(file.read_text("utf-8"))]
    return [(example, row if len(row.tokens) <= most_tokens else None) for example, row in found]


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
