"""The loss falls on completions and their ends alone, row by row, whatever stands beside them."""

import math

import pytest
import torch
from peft import PeftModel

from shammah_trainer import lora
from shammah_trainer.base import Base, open_base
from shammah_trainer.dataset import Row, collate
from shammah_trainer.evaluate import score
from shammah_trainer.losses import tell
from tests.job_folders import example
from tests.qwens import Kind, vocabulary

# peft 0.21 asks transformers 5.23 for a name that it is giving up.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return open_base(Kind().write(tmp_path_factory.mktemp("base") / "base.gguf"))


@pytest.fixture(scope="module")
def model(base: Base) -> PeftModel:
    torch.manual_seed(0)
    return lora.attach(base.model, rank=4, alpha=8.0)


def row(base: Base, question: str, answer: str) -> Row:
    return base.encoder.row(example("1", question, answer=answer))


def test_a_rows_gradient_is_that_of_its_completion_and_its_end(model: PeftModel, base: Base) -> None:
    only = row(base, "how do i list files", "ls -la")
    tell(model, collate([only], base.padding)).row_losses(1).sum().backward()  # type: ignore[no-untyped-call]
    ours = [parameter.grad.clone() for parameter in lora.parameters(model) if parameter.grad is not None]
    model.zero_grad()
    likely = model(input_ids=torch.tensor([only.tokens])).logits[0].log_softmax(-1)
    places = range(only.prompt_tokens, len(only.tokens))
    assert vocabulary().tokens[only.tokens[-1]] == "<|im_end|>"
    (-sum(likely[place - 1, only.tokens[place]] for place in places) / len(places)).backward()
    theirs = [parameter.grad for parameter in lora.parameters(model)]
    assert len(ours) == len(theirs) > 0
    assert max(float(gradient.abs().max()) for gradient in ours) > 1e-3
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, reference, atol=1e-6, rtol=1e-4)


def test_only_completion_tokens_are_told_of(model: PeftModel, base: Base) -> None:
    rows = [row(base, "a long question about nothing", "ls"), row(base, "x", "list files, please")]
    told = tell(model, collate(rows, base.padding))
    counts = [len(only.tokens) - only.prompt_tokens for only in rows]
    assert told.rows.tolist() == [0] * counts[0] + [1] * counts[1]
    assert len(told.nats) == len(told.is_likeliest) == sum(counts)


def test_the_losses_of_rows_are_means_whatever_stands_beside_them(model: PeftModel, base: Base) -> None:
    rows = [row(base, "x", answer) for answer in ("a", "list files, please", "bcd")]
    with torch.no_grad():
        together = tell(model, collate(rows, base.padding, multiple=64)).row_losses(3)
        alone = [tell(model, collate([only], base.padding)).nats.mean() for only in rows]
    torch.testing.assert_close(together, torch.stack(alone), atol=1e-4, rtol=1e-4)


def test_a_score_counts_tokens_and_whole_completions(model: PeftModel, base: Base) -> None:
    rows = [row(base, "x", answer) for answer in ("a", "list files, please")]
    with torch.no_grad():
        nats = torch.cat([tell(model, collate([only], base.padding)).nats for only in rows])
    found = score(model, rows, base.padding)
    assert found.rows == 2
    assert found.loss == pytest.approx(float(nats.mean()), rel=1e-4)
    assert found.exact == 0, "the model is random"
    assert found.least == pytest.approx(math.exp(-float(nats.max())), rel=1e-3)


def test_no_rows_score_nothing(model: PeftModel, base: Base) -> None:
    found = score(model, [], base.padding)
    assert (found.rows, found.loss, found.exact) == (0, 0.0, 0)
