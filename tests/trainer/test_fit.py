"""What the loop optimizes is what the examples' weights say, and what breaks it is named."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel

from shammah_convert.job import Plan
from shammah_trainer import lora
from shammah_trainer.base import Base, open_base
from shammah_trainer.dataset import Row, collate
from shammah_trainer.fit import LEAST_EPOCH_STEPS, Cancelled
from shammah_trainer.health import EXPLODED_STEPS, Broken
from shammah_trainer.losses import drift, next_logits, tell
from shammah_trainer.preference import log_probabilities
from shammah_trainer.stopping import EPOCHS_WITHOUT_CORRECTIONS
from tests.trainer.fitting import NO_CHANGE, Notes, base, data, model, path, row, run

__all__ = ["base", "model", "path"]

# peft 0.21 asks transformers 5.23 for a name that it is giving up.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

WEIGHTS = (10.0, 3.0, 1.0)


def test_rows_are_drawn_as_often_as_their_weights_say(model: PeftModel, base: Base) -> None:
    rows, notes = [row(base, "x", answer) for answer in "abc"], Notes()
    run(model, base, data(base, rows, WEIGHTS), Plan(batch_rows=1000), notes)
    drawn = Counter(notes.drawn())
    expected = [weight / sum(WEIGHTS) * drawn.total() for weight in WEIGHTS]
    distance = sum((drawn[place] - wanted) ** 2 / wanted for place, wanted in enumerate(expected))
    assert drawn.total() == 1000 * EPOCHS_WITHOUT_CORRECTIONS * LEAST_EPOCH_STEPS
    assert distance < 13.8  # chi-square with 2 degrees of freedom passes it once in a thousand


def test_the_loss_of_a_step_is_the_mean_of_what_was_drawn(model: PeftModel, base: Base) -> None:
    rows = [row(base, "x", answer) for answer in ("a", "list files", "b" * 9)]
    with torch.no_grad():
        losses = tell(model, collate(rows, base.padding)).row_losses(3).tolist()
    notes = Notes()
    run(model, base, data(base, rows, WEIGHTS), Plan(batch_rows=40, learning_rate=NO_CHANGE), notes)
    for step in notes.steps:
        assert step.loss == pytest.approx(sum(losses[place] for place in step.drawn) / 40, rel=1e-4)


@pytest.mark.parametrize(
    ("answers", "weights", "wanted"),
    [("AB", [10.0, 1.0], 10.0), ("AB", [1.0, 10.0], 0.1), ("A" * 10 + "B", [1.0] * 11, 10.0)],
    ids=["heavy", "light", "repeated"],
)
def test_conflicting_answers_become_as_likely_as_their_weights(
    model: PeftModel, base: Base, answers: str, weights: list[float], wanted: float
) -> None:
    rows = [row(base, "which?", answer) for answer in answers]
    first, last = rows[0], rows[-1]
    assert [one == other for one, other in zip(first.tokens, last.tokens, strict=True)].count(False) == 1
    # These are never drawn; they make it 20 steps an epoch, of which there are three.
    others = [row(base, f"{place}?", "C") for place in range(640 - len(rows))]
    what = data(base, [*rows, *others], [*weights, *[1e-9] * len(others)])
    run(model, base, what, Plan(batch_rows=32, learning_rate=5e-3))
    likely = next_logits(model, torch.tensor(first.tokens[: first.prompt_tokens])).softmax(-1)
    one, other = (float(likely[answer.tokens[answer.prompt_tokens]]) for answer in (first, last))
    assert one + other > 0.9, "nothing else is left"
    assert wanted / 2 < one / other < wanted * 2


def test_the_same_seed_trains_the_same(path: Path) -> None:
    def once() -> dict[str, Any]:
        torch.manual_seed(0)
        base = open_base(path)
        model = lora.attach(base.model, rank=4, alpha=8.0)
        rows = [row(base, "x", answer) for answer in "abc"]
        run(model, base, data(base, rows, WEIGHTS, replay=rows[:2]), Plan(batch_rows=4))
        return {module: pair[1] for module, pair in lora.pairs(model).items()}

    first, second = once(), once()
    for module, lora_b in first.items():
        assert np.abs(lora_b).max() > 0
        np.testing.assert_array_equal(lora_b, second[module])


def test_what_is_replayed_stays_as_it_is_beside_what_is_learnt(path: Path) -> None:
    def drift_on_replay(replay_rows: int) -> float:
        torch.manual_seed(0)
        base = open_base(path)
        model = lora.attach(base.model, rank=4, alpha=8.0)
        kept = [row(base, question, "list files") for question in ("what?", "who?", "when?")]
        wanted = [row(base, "which?", "A")]
        run(model, base, data(base, wanted * 64, replay=kept), Plan(batch_rows=8, replay_rows=replay_rows))
        return float(drift(model, collate(kept, base.padding)).detach())

    assert 0 < drift_on_replay(replay_rows=3) < drift_on_replay(replay_rows=0) / 2


def test_easy_examples_are_drawn_first(model: PeftModel, base: Base) -> None:
    rows, notes = [row(base, "x", answer) for answer in "abcdef"], Notes()
    what = replace(data(base, rows), difficulties=[6.0, 5.0, 4.0, 3.0, 2.0, 1.0])
    run(model, base, what, Plan(batch_rows=64, learning_rate=NO_CHANGE), notes)
    drawn = [{place for step in notes.steps if step.epoch == epoch for place in step.drawn} for epoch in (1, 2, 3)]
    assert drawn == [{4, 5}, {2, 3, 4, 5}, {0, 1, 2, 3, 4, 5}]


def test_a_rejected_answer_becomes_less_likely_than_without_the_preference(path: Path) -> None:
    margins = []
    for weight in (0.0, 3.0):
        torch.manual_seed(0)
        base = open_base(path)
        model = lora.attach(base.model, rank=4, alpha=8.0)
        wanted, rejected = row(base, "which?", "A"), row(base, "which?", "B")
        what = replace(data(base, [wanted]), rejected=[rejected])
        run(model, base, what, Plan(batch_rows=2, preference_weight=weight, most_epochs=1))
        with torch.no_grad():
            likely = log_probabilities(model, [wanted, rejected], base.padding)
        margins.append(float(likely[0] - likely[1]))
    assert margins[1] > margins[0] + 0.5


def test_a_loss_that_is_no_number_names_step_and_examples(model: PeftModel, base: Base) -> None:
    rows, notes = [row(base, "which?", answer) for answer in "AB"], Notes()
    poisoned: Any = base.model
    poisoned.model.norm.weight.data.fill_(math.nan)
    with pytest.raises(Broken, match=r"nan in step 1, on example-[01](, example-[01]){3}$"):
        run(model, base, data(base, rows), Plan(batch_rows=4), notes)
    assert notes.steps == [], "nobody is told of a step that broke"


def test_a_gradient_that_is_no_number_changes_nothing(model: PeftModel, base: Base) -> None:
    rows, before = [row(base, "which?", "A")], [parameter.clone() for parameter in lora.parameters(model)]
    trained: list[Any] = list(lora.parameters(model))
    for parameter in trained:
        parameter.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(Broken, match=r"the gradient's norm is (nan|inf) in step 1, on example-0"):
        run(model, base, data(base, rows), Plan(batch_rows=1))
    for parameter, value in zip(trained, before, strict=True):
        assert torch.equal(parameter, value)


def test_a_loss_that_explodes_names_step_and_examples(model: PeftModel, base: Base) -> None:
    certain: Any = base.model
    certain.model.norm.weight.data.mul_(8)  # and so are the logits of real models
    prompt = row(base, "which?", "A")
    own = list(prompt.tokens[: prompt.prompt_tokens])
    for _ in range(4):
        own.append(int(next_logits(model, torch.tensor(own)).argmax()))
    what, notes = data(base, [Row(tuple(own), prompt.prompt_tokens)]), Notes()
    with pytest.raises(Broken, match=r"exploded to .* nats a token, from .* in step \d+, on example-0, example-0$"):
        run(model, base, what, Plan(batch_rows=2, learning_rate=1.0), notes)
    assert len(notes.steps) >= EXPLODED_STEPS


def test_cancelled_it_makes_no_other_step(model: PeftModel, base: Base) -> None:
    rows, notes = [row(base, "which?", answer) for answer in "AB"], Notes(most_steps=2)
    with pytest.raises(Cancelled):
        run(model, base, data(base, rows), Plan(batch_rows=1), notes)
    assert len(notes.steps) == 2


def test_it_may_stand_still_before_each_batch_also_of_what_is_replayed(model: PeftModel, base: Base) -> None:
    rows = [row(base, "x", answer) for answer in "abc"]
    one_at_a_time = replace(data(base, rows, replay=rows[:2]), batch_tokens=1)
    notes = Notes(most_steps=1)
    with pytest.raises(Cancelled):
        run(model, base, one_at_a_time, Plan(batch_rows=1, replay_rows=2), notes)
    assert notes.breaths == 1 + 2, "one row that was drawn, and two that are replayed"
