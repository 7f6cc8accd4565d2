"""What a user's rating tells of a local answer."""

from collections.abc import Sequence

from shammah.divergence import Divergence, Method
from shammah.policy import Side
from shammah.records.questions import Answer


def verdict(answers: Sequence[Answer], shown: Answer, is_good: bool) -> tuple[int | None, bool]:
    """Which local answer a rating tells of, and what.

    A rated local answer speaks for itself. A rating of the teacher's tells of the local answer that was compared
    with it: as good as a good one where both say the same, worse where they differ. Of one that differs from
    a bad one it tells nothing.
    """
    if shown.side == Side.LOCAL:
        return shown.id, is_good
    local = next((a for a in answers if a.side == Side.LOCAL and a.divergence is not None), None)
    if local is None or local.divergence is None or local.method is None:
        return None, is_good
    is_same = Divergence(local.divergence, Method(local.method)).is_small
    return (local.id, is_good) if is_same else (local.id, False) if is_good else (None, False)
