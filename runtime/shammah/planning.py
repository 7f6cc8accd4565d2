"""What is asked of a training: from the settings to its plan, as far as the model can hold it. Pure."""

from dataclasses import replace

from shammah.errors import TrainingError
from shammah.records.adapters import Training
from shammah.settings import TrainerSettings
from shammah_convert.job import Plan
from shammah_convert.shape import BaseConfig


def plan_for(training: Training, wanted: TrainerSettings, base: BaseConfig, may_continue: bool) -> Plan:
    """The plan of a training; what a setting leaves at 0 is chosen here, or derived by the trainer.

    Args:
        training: What was asked for.
        wanted: The settings.
        base: The model that is trained.
        may_continue: Whether nothing that is active is to be forgotten.

    Raises:
        TrainingError: The wanted rank is larger than the model's narrowest matrix.
    """
    own, most = Plan(), most_rank(base)
    if wanted.rank > most:
        hint = f"Set `trainer.rank` to {most} at most, or to 0."
        raise TrainingError(f"rank {wanted.rank} is too large for this model, whose matrices hold {most}", hint=hint)
    plan = replace(
        own,
        learning_rate=wanted.learning_rate,
        batch_rows=wanted.batch or own.batch_rows,
        most_epochs=wanted.epochs or own.most_epochs,
        most_memory_bytes=training.most_memory_bytes or wanted.max_memory.bytes,
        continues=may_continue if wanted.continue_active == "auto" else wanted.continue_active,
        is_easy_first=wanted.easy_first,
        preference_weight=wanted.preference,
    )
    return plan.with_rank(wanted.rank or min(own.rank, most))


def most_rank(base: BaseConfig) -> int:
    """The largest rank of an adapter on every projection: the width of the narrowest matrix."""
    return min(min(inner, outer) for inner, outer in base.matrices)
