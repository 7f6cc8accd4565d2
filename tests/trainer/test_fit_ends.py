"""A training ends when it has learnt enough, gains no more, or may go on no longer."""

from dataclasses import replace

import pytest
import torch
from peft import PeftModel

from shammah_convert.job import Plan
from shammah_trainer.base import Base
from shammah_trainer.checkpoint import Learner, Reached
from shammah_trainer.data import Data
from shammah_trainer.dataset import collate
from shammah_trainer.evaluate import score
from shammah_trainer.fit import COOLER, COOLINGS, LEAST_EPOCH_STEPS, Fitted, fit
from shammah_trainer.losses import tell
from shammah_trainer.stopping import EPOCHS_WITHOUT_CORRECTIONS, LEAST_HELD_OUT, PATIENCE_EPOCHS, SURE
from tests.trainer.fitting import NO_CHANGE, Notes, base, data, model, path, row, run

__all__ = ["base", "model", "path"]

# peft 0.21 asks transformers 5.23 for a name that it is giving up.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


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
