"""Is a training still sound: a loss or a gradient that is no number ends it, and so does a loss that exploded."""

import math
from collections.abc import Sequence

# The last norm bounds every logit, so that a model that ran away is a sure one that is wrong at random: it costs
# more than guessing, and not without end. Eight steps are the shortest epoch.
EXPLODED_STEPS = 8
EXPLODED_STARTS = 2.0
"""Of the first step's loss: that one is the bare base's own, whatever odd targets it was shown."""


class Broken(RuntimeError):
    """The training went wrong; the text says how, and names step and examples."""


def fault(losses: Sequence[float], gradient_norm: float, vocabulary: int) -> str:
    """What is wrong after the last of some steps; empty where nothing is.

    A loss has exploded where each of the last eight is worse than guessing, log(vocabulary), and more than twice what
    the first step found, which changed nothing. Where the base is worse than guessing itself, that doubles with it.

    Args:
        losses: Nats a token, step by step, the first of them before anything was changed.
        gradient_norm: Of the last step.
        vocabulary: How many tokens there are to guess from.
    """
    if not math.isfinite(losses[-1]):
        return f"the loss is {losses[-1]}"
    if not math.isfinite(gradient_norm):
        return f"the gradient's norm is {gradient_norm}"
    most = max(math.log(vocabulary), EXPLODED_STARTS * losses[0])
    if len(losses) > EXPLODED_STEPS and min(losses[-EXPLODED_STEPS:]) > most:
        return f"the loss has exploded to {losses[-1]:.1f} nats a token, from {losses[0]:.1f}"
    return ""
