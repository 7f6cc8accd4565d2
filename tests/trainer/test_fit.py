"""What the loop optimizes is what the examples' weights say; and it knows when to stop."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel

from shammah_convert.job import Plan, Score
from shammah_trainer import lora
from shammah_trainer.base import Base, open_base
from shammah_trainer.checkpoint import Learner, Reached
from shammah_trainer.data import Data
from shammah_trainer.dataset import Row, collate
from shammah_trainer.evaluate import score
from shammah_trainer.fit import COOLER, COOLINGS, LEAST_EPOCH_STEPS, Cancelled, Fitted, Step, fit
from shammah_trainer.health import EXPLODED_STEPS, Broken
from shammah_trainer.losses import drift, next_logits, tell
from shammah_trainer.preference import log_probabilities
from shammah_trainer.stopping import EPOCHS_WITHOUT_CORRECTIONS, LEAST_HELD_OUT, PATIENCE_EPOCHS, SURE
from tests.job_folders import example
from tests.qwens import Kind

# peft 0.21 asks transformers 5.23 for a name that it is giving up.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

WEIGHTS = (10.0, 3.0, 1.0)
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


# The weights reach the optimizer.


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


# It knows when to stop.


def test_it_ends_once_every_correction_is_learnt(model: PeftModel, base: Base) -> None:
    rows, notes = [row(base, "which?", "A"), row(base, "why?", "list")], Notes()
    fitted = run(model, base, data(base, rows, corrections=rows), Plan(), notes)
    assert fitted.stopped == "every correction is learnt"
    assert fitted.epochs < Plan().most_epochs
    found = score(model, rows, base.padding)
    assert found.least >= SURE
    assert found.exact == 2
    assert (fitted.epochs, fitted.steps) == (notes.epochs[-1][0], notes.steps[-1].step)


def test_only_corrections_have_to_be_learnt(model: PeftModel, base: Base) -> None:
    correction, others = row(base, "which?", "A"), [row(base, "why?", answer) for answer in "BC"]
    what = data(base, [correction, *others], [10.0, 1.0, 1.0], corrections=[correction])
    assert run(model, base, what, Plan()).stopped == "every correction is learnt"


def test_learnt_corrections_wait_until_other_answers_are_near_again(model: PeftModel, base: Base) -> None:
    rows, general = [row(base, "which?", "A")], [row(base, "who?", "list files")]
    what = replace(data(base, rows, corrections=rows), general=general)
    plan = Plan(most_drift=0.0, most_epochs=5)
    assert run(model, base, what, plan).stopped != "every correction is learnt", "nothing is as near as that"
    assert score(model, rows, base.padding).least >= SURE
    assert run(model, base, what, Plan(most_drift=100.0)).stopped == "every correction is learnt"


def test_without_gain_it_gives_up(model: PeftModel, base: Base) -> None:
    rows = [row(base, "which?", answer) for answer in "AB"]
    fitted = run(model, base, data(base, rows, corrections=rows), Plan(learning_rate=NO_CHANGE))
    # The first epoch is the best so far; those after it bring nothing, and smaller steps do not, either.
    epochs = 1 + PATIENCE_EPOCHS * (1 + COOLINGS)
    assert fitted == Fitted(epochs, epochs * LEAST_EPOCH_STEPS, f"no gain in {PATIENCE_EPOCHS} epochs")


class Rates:
    """A keeper that reads the learning rate after each epoch, and keeps nothing."""

    def __init__(self, reached: Reached | None = None) -> None:
        self.rates: list[float] = []
        self._reached = reached

    def restore(self, learner: Learner) -> Reached | None:
        """As far as it was told."""
        return self._reached

    def is_due(self, is_epoch_over: bool) -> bool:
        """After each epoch."""
        return is_epoch_over

    def keep(self, learner: Learner, reached: Reached) -> None:
        """Read it."""
        self.rates.append(learner.optimizer.param_groups[0]["lr"] / NO_CHANGE)
        self.reached = reached


def test_steps_become_smaller_where_the_loss_falls_no_more(model: PeftModel, base: Base) -> None:
    rows, rates = [row(base, "which?", answer) for answer in "AB"], Rates()
    what, plan = data(base, rows, corrections=rows), Plan(learning_rate=NO_CHANGE)
    fit(model, what, plan, base.config.hidden_size, 0, Notes(), rates)
    # The first epoch warms up; after the sixth it has waited five.
    waits = PATIENCE_EPOCHS
    expected = [1.0] * waits + [COOLER] * waits
    assert rates.rates[1:] == pytest.approx(expected)
    assert rates.reached.cooled == COOLINGS
    resumed = Rates(replace(rates.reached, stopped="", waited=0))
    fit(model, what, plan, base.config.hidden_size, 0, Notes(), resumed)
    assert resumed.rates == pytest.approx([COOLER] * waits), "also in the process that goes on"


def test_it_is_as_many_times_as_patient_with_more_corrections(model: PeftModel, base: Base) -> None:
    rows = [row(base, "which?", answer) for answer in "ABC"] * 7
    plan = Plan(batch_rows=12, learning_rate=NO_CHANGE)
    stopped = run(model, base, data(base, rows, corrections=rows), plan).stopped
    assert stopped == f"no gain in {3 * PATIENCE_EPOCHS} epochs"


def test_contradicting_corrections_end_it_too(model: PeftModel, base: Base) -> None:
    rows = [row(base, "which?", answer) for answer in "AB"]
    fitted = run(model, base, data(base, rows, corrections=rows), Plan(most_epochs=400))
    assert fitted.stopped == f"no gain in {PATIENCE_EPOCHS} epochs"


def test_it_ends_after_the_most_epochs(model: PeftModel, base: Base) -> None:
    rows, notes = [row(base, "which?", answer) for answer in "ABC"] * 7, Notes()
    plan = Plan(batch_rows=2, most_epochs=2, learning_rate=NO_CHANGE)
    fitted = run(model, base, data(base, rows, corrections=rows[:1]), plan, notes)
    # Twenty-one rows, two a step: eleven steps an epoch.
    assert fitted == Fitted(2, 22, "2 epochs are over")
    told = [(step.epoch, step.step, step.steps) for step in notes.steps]
    assert told == [(1 + (step - 1) // 11, step, 22) for step in range(1, 23)]
    assert notes.steps[-1].seconds_left == 0
    assert [epoch for epoch, _ in notes.epochs] == [1, 2]


def test_more_corrections_may_take_more_epochs(model: PeftModel, base: Base) -> None:
    rows = [row(base, "which?", answer) for answer in "ABC"] * 7
    plan = Plan(batch_rows=12, most_epochs=1, learning_rate=NO_CHANGE)
    # Twenty-one corrections: an epoch for each ten that were begun.
    assert run(model, base, data(base, rows, corrections=rows), plan).stopped == "3 epochs are over"


def test_without_corrections_it_reads_all_three_times(model: PeftModel, base: Base) -> None:
    rows, notes = [row(base, "which?", answer) for answer in "ABC"], Notes()
    fitted = run(model, base, data(base, rows), Plan(batch_rows=3), notes)
    assert fitted == Fitted(3, 3 * LEAST_EPOCH_STEPS, "3 epochs are over")
    assert {aims.rows for _, aims in notes.epochs} == {3}, "all rows are watched"


@pytest.fixture
def overlearnt(base: Base) -> Data:
    """One answer to learn, and enough held-out ones that at first profit from it, and then suffer."""
    learnt = [row(base, "which?", "AB")] * 4
    held_out = [row(base, "which?", "AC" if place % 4 else "AB") for place in range(LEAST_HELD_OUT)]
    return replace(data(base, learnt), held_out=held_out)


def test_held_out_answers_say_when_to_stop_and_where_to_go_back_to(
    model: PeftModel, base: Base, overlearnt: Data
) -> None:
    plan = Plan(batch_rows=4, learning_rate=2e-3, most_epochs=60)
    fitted = run(model, base, overlearnt, plan)
    assert fitted.stopped == "the loss on held-out answers falls no more"
    assert fitted.epochs > EPOCHS_WITHOUT_CORRECTIONS
    kept = score(model, overlearnt.held_out, base.padding).loss
    learner = Learner.fresh(model, 2e-3, seed=1)
    for _ in range(20):
        torch.autograd.backward(tell(model, collate(overlearnt.rows[:1], base.padding)).nats.mean())
        learner.optimizer.step()
        learner.optimizer.zero_grad()
    assert score(model, overlearnt.held_out, base.padding).loss > kept, "more of the same does harm"


def test_with_few_held_out_answers_it_does_not_listen_to_them(model: PeftModel, base: Base, overlearnt: Data) -> None:
    few = replace(overlearnt, held_out=overlearnt.held_out[1:])
    fitted = run(model, base, few, Plan(batch_rows=4, learning_rate=2e-3))
    assert fitted.stopped == f"{EPOCHS_WITHOUT_CORRECTIONS} epochs are over"


def test_corrections_are_learnt_before_held_out_answers_are_listened_to(
    model: PeftModel, base: Base, overlearnt: Data
) -> None:
    both = replace(overlearnt, corrections=overlearnt.rows[:1])
    fitted = run(model, base, both, Plan(batch_rows=4))
    assert fitted.stopped == "the loss on held-out answers falls no more"
    assert score(model, both.corrections, base.padding).least >= SURE


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
