"""What is looked at before a training and after it, and how the two compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peft import PeftModel

from shammah_convert.job import EXAMPLES, GENERAL, HELD_OUT, PARAPHRASES, Measure, Move
from shammah_convert.planted import PLANTED
from shammah_trainer.data import Data
from shammah_trainer.dataset import Row
from shammah_trainer.evaluate import Tally, change, drift, tally
from shammah_trainer.spread import ALONE, Spread


@dataclass(frozen=True, slots=True)
class Look:
    """What a model makes of all that is compared, by its file, and how far it has moved."""

    tallies: dict[str, Tally]
    drift: Measure


def look(
    model: PeftModel,
    watched: dict[str, Sequence[Row]],
    data: Data,
    is_adapted: bool = True,
    spread: Spread = ALONE,
) -> Look:
    """Look at all that is compared, in batches as the training has them; the bare base has not moved."""
    how = data.padding, data.batch_tokens, spread
    tallies = {name: tally(model, rows, *how) for name, rows in watched.items()}
    moved = drift(model, watched[GENERAL], *how) if is_adapted else Measure()
    return Look(tallies, moved)


def compared(before: Look, after: Look) -> dict[str, Any]:
    """The parts of a report that compare."""
    parts = {"learnt": EXAMPLES, "held_out": HELD_OUT, "general": GENERAL, "paraphrases": PARAPHRASES}
    changes = {part: change(before.tallies[name], after.tallies[name]) for part, name in parts.items()}
    planted = {door: change(before.tallies[name], after.tallies[name]) for door, name in PLANTED.items()}
    came = {door: found for door, found in planted.items() if found.after.rows}
    return {**changes, "planted": came, "drift": Move(before.drift, after.drift)}
