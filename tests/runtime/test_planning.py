"""What the settings say of a training is what the trainer gets; what they leave open follows from the model."""

from typing import Literal

import pytest

from shammah.errors import TrainingError
from shammah.planning import most_rank, plan_for
from shammah.records.adapters import Training
from shammah.settings import TrainerSettings
from shammah_convert.job import Plan
from shammah_convert.shape import BaseConfig

TRAINING = Training(1, "", None, "base", "running", False, False, None, "")


def shape(width: int = 896, kv_heads: int = 2, head_size: int = 64) -> BaseConfig:
    heads = width // head_size
    return BaseConfig("qwen2", width, 4 * width, 2, heads, kv_heads, head_size, 4096, 1e6, 1e-6, True)


def test_what_is_left_open_is_the_trainers_own_choice() -> None:
    assert plan_for(TRAINING, TrainerSettings(), shape(), may_continue=False) == Plan()


def test_every_setting_reaches_the_plan() -> None:
    wanted = TrainerSettings(learning_rate=2e-4, batch=4, epochs=7, rank=8, easy_first=True, preference=0.5)
    plan = plan_for(TRAINING, wanted, shape(), may_continue=False)
    assert (plan.learning_rate, plan.batch_rows, plan.most_epochs, plan.rank) == (2e-4, 4, 7, 8)
    assert (plan.is_easy_first, plan.preference_weight) == (True, 0.5)
    assert plan.alpha / plan.rank == Plan().alpha / Plan().rank, "another rank learns at the same scale"


def test_a_small_model_gets_the_rank_that_its_narrowest_matrix_holds() -> None:
    narrow = shape(width=64, kv_heads=1, head_size=8)
    assert most_rank(narrow) == 8
    assert plan_for(TRAINING, TrainerSettings(), narrow, may_continue=False).rank == 8


def test_a_rank_that_no_matrix_holds_is_refused_with_the_largest_that_does() -> None:
    with pytest.raises(TrainingError, match="rank 129") as caught:
        plan_for(TRAINING, TrainerSettings(rank=129), shape(), may_continue=False)
    assert "`trainer.rank` to 128" in caught.value.hint


@pytest.mark.parametrize("may_continue", [True, False])
@pytest.mark.parametrize("wanted", ["auto", True, False])
def test_it_goes_on_where_it_may_unless_somebody_says_otherwise(
    wanted: bool | Literal["auto"], may_continue: bool
) -> None:
    plan = plan_for(TRAINING, TrainerSettings(continue_active=wanted), shape(), may_continue)
    assert plan.continues == (may_continue if wanted == "auto" else wanted)
