"""Drift is the divergence of what is said from what the base would say, at the places that a completion fills."""

from pathlib import Path

import pytest
import torch
from peft import PeftModel

from shammah_trainer import lora
from shammah_trainer.base import Base, open_base
from shammah_trainer.dataset import Row, collate
from shammah_trainer.evaluate import drift
from shammah_trainer.kl import divergences
from tests.job_folders import example
from tests.qwens import Kind

# peft 0.21 asks transformers 5.23 for a name that it is giving up.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Kind().write(tmp_path_factory.mktemp("base") / "base.gguf")


@pytest.fixture
def base(path: Path) -> Base:
    return open_base(path)


@pytest.fixture
def model(base: Base) -> PeftModel:
    torch.manual_seed(0)
    return lora.attach(base.model, rank=4, alpha=8.0)


def stir(model: PeftModel) -> None:
    """As if the adapter had been trained."""
    for parameter in lora.parameters(model):
        torch.nn.init.normal_(parameter, 0, 0.1)


def rows(base: Base) -> list[Row]:
    return [base.encoder.row(example("1", "a question", answer=answer)) for answer in ("ls", "list files, please")]


def whole(model: PeftModel, row: Row) -> torch.Tensor:
    """The same by whole logits, row by row: (targets,)."""
    tokens = torch.tensor([row.tokens])
    with torch.no_grad():
        moved = model(input_ids=tokens).logits[0].log_softmax(-1)
        with model.disable_adapter():
            base = model(input_ids=tokens).logits[0].log_softmax(-1)
    divergence = torch.nn.functional.kl_div(moved, base, reduction="none", log_target=True).sum(-1)
    return divergence[row.prompt_tokens - 1 : -1]


def test_it_is_torchs_divergence_at_each_target_of_each_row(model: PeftModel, base: Base) -> None:
    stir(model)
    one, other = rows(base)
    found, places = divergences(model, collate([one, other], base.padding))
    expected = [whole(model, one), whole(model, other)]
    assert places.tolist() == [0] * len(expected[0]) + [1] * len(expected[1])
    assert float(found.min()) > 0.001
    torch.testing.assert_close(found, torch.cat(expected), atol=1e-4, rtol=1e-3)


def test_a_fresh_adapter_has_moved_nothing(model: PeftModel, base: Base) -> None:
    found = drift(model, rows(base), base.padding)
    assert found.value == pytest.approx(0.0, abs=1e-6)


def test_drift_is_a_mean_of_tokens_with_its_interval(model: PeftModel, base: Base) -> None:
    stir(model)
    found = drift(model, rows(base), base.padding)
    expected = torch.cat([whole(model, row) for row in rows(base)]).mean()
    assert found.value == pytest.approx(float(expected), rel=1e-3)
    assert found.interval is not None
    assert found.interval.low < found.value < found.interval.high


def test_nothing_has_not_moved(model: PeftModel, base: Base) -> None:
    stir(model)
    assert drift(model, [], base.padding).value == 0.0
