"""A tiny base, rows to learn, and notes of what a training says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from peft import PeftModel

from shammah_convert.job import Plan, Score
from shammah_trainer import lora
from shammah_trainer.base import Base, open_base
from shammah_trainer.data import Data
from shammah_trainer.dataset import Row
from shammah_trainer.fit import Cancelled, Fitted, Step, fit
from tests.job_folders import example
from tests.qwens import Kind

NO_CHANGE = 1e-12
"""A learning rate at which nothing is learnt."""


@dataclass
class Notes:
    """Hears everything, and cancels after so many steps."""

    most_steps: int = 10**9
    breaths: int = 0
    steps: list[Step] = field(default_factory=list)
    epochs: list[tuple[int, Score]] = field(default_factory=list)
    resumed_after: int = 0

    def resumed(self, losses: Sequence[float]) -> None:
        """Keep after how many steps."""
        self.resumed_after = len(losses)

    def breathe(self) -> None:
        """Count it."""
        self.breaths += 1

    def step(self, step: Step) -> None:
        """Keep it."""
        self.steps.append(step)
        if len(self.steps) >= self.most_steps:
            raise Cancelled("enough")

    def epoch(self, epoch: int, aims: Score) -> None:
        """Keep it."""
        self.epochs.append((epoch, aims))

    def drawn(self) -> list[int]:
        """Every place that was drawn, in order."""
        return [place for step in self.steps for place in step.drawn]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Kind().write(tmp_path_factory.mktemp("base") / "base.gguf")


@pytest.fixture
def base(path: Path) -> Base:
    torch.manual_seed(0)
    return open_base(path)


@pytest.fixture
def model(base: Base) -> PeftModel:
    return lora.attach(base.model, rank=4, alpha=8.0)


def row(base: Base, question: str, answer: str) -> Row:
    return base.encoder.row(example("1", question, answer=answer))


def data(
    base: Base,
    rows: Sequence[Row],
    weights: Sequence[float] = (),
    corrections: Sequence[Row] = (),
    replay: Sequence[Row] = (),
) -> Data:
    ids = [f"example-{place}" for place in range(len(rows))]
    return Data(rows, weights or [1.0] * len(rows), ids, corrections, replay, base.padding)


def run(model: PeftModel, base: Base, what: Data, plan: Plan, watch: Notes | None = None) -> Fitted:
    return fit(model, what, plan, base.config.hidden_size, seed=1, watch=watch or Notes())
