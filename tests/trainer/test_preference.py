"""The preference of a wanted answer over the one that was rejected."""

import math
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from torch.nn import functional

from shammah_trainer import lora
from shammah_trainer.base import Base, open_base
from shammah_trainer.dataset import BATCH_TOKENS, Row
from shammah_trainer.preference import BETA, Pair, log_probabilities, pulls
from tests.job_folders import example
from tests.qwens import Kind

# peft 0.21 asks transformers 5.23 for a name that it is giving up.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    torch.manual_seed(0)
    return open_base(Kind().write(tmp_path_factory.mktemp("base") / "base.gguf"))


@pytest.fixture(scope="module")
def model(base: Base) -> PeftModel:
    """An adapter that has moved already."""
    attached = lora.attach(base.model, rank=4, alpha=8.0)
    with torch.no_grad():
        for parameter in lora.parameters(attached):
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return attached


@pytest.fixture(scope="module")
def pairs(base: Base) -> dict[Pair, float]:
    def row(question: str, answer: str) -> Row:
        return base.encoder.row(example("1", question, answer=answer))

    wanted = row("which?", "list files")
    return {
        (wanted, row("which?", "A")): 0.5,
        (wanted, row("which?", "something much longer than that")): 0.2,
        (row("why?", "B"), row("why?", "C")): 0.3,
    }


def dpo(model: PeftModel, pairs: dict[Pair, float], padding: int) -> torch.Tensor:
    """The loss as its paper has it, with a gradient."""
    total = torch.zeros(())
    for (wanted, rejected), share in pairs.items():
        with torch.no_grad(), model.disable_adapter():
            reference = log_probabilities(model, [wanted, rejected], padding)
        lifted = log_probabilities(model, [wanted, rejected], padding) - reference
        total = total - share * functional.logsigmoid(BETA * (lifted[0] - lifted[1]))
    return total


@pytest.mark.parametrize("batch_tokens", [1, BATCH_TOKENS], ids=["one at a time", "all at once"])
def test_the_pulls_are_the_gradient_of_the_papers_loss(
    model: PeftModel, base: Base, pairs: dict[Pair, float], batch_tokens: int
) -> None:
    wanted = torch.autograd.grad(dpo(model, pairs, base.padding), lora.parameters(model))
    pulled = pulls(model, pairs, base.padding, batch_tokens)
    likely = log_probabilities(model, list(pulled), base.padding)
    ours = torch.autograd.grad(-likely @ torch.tensor(list(pulled.values())), lora.parameters(model))
    assert max(float(gradient.abs().max()) for gradient in wanted) > 1e-4
    for mine, theirs in zip(ours, wanted, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=1e-3)


def test_without_a_margin_both_are_pulled_alike(base: Base, pairs: dict[Pair, float], tmp_path: Path) -> None:
    fresh = lora.attach(open_base(Kind().write(tmp_path / "base.gguf")).model, rank=4, alpha=8.0)
    pair = list(pairs)[-1]
    pulled = pulls(fresh, {pair: 1.0}, base.padding, BATCH_TOKENS)
    assert pulled == {pair[0]: pytest.approx(BETA / 2), pair[1]: pytest.approx(-BETA / 2)}


def test_a_log_probability_is_of_the_whole_completion(model: PeftModel, base: Base, pairs: dict[Pair, float]) -> None:
    rows = [row for pair in pairs for row in pair]
    with torch.no_grad():
        one_by_one = [float(log_probabilities(model, [row], base.padding)) for row in rows]
        together = log_probabilities(model, rows, base.padding)
    assert together.tolist() == pytest.approx(one_by_one, rel=1e-4)
    assert all(math.isfinite(value) and value < 0 for value in one_by_one)
