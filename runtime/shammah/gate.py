"""The gate: does a candidate adapter replace what is active."""

from shammah_convert.job import Report, Score

MOST_RISE = 0.02
"""By so much of itself the held-out loss may rise."""

# Logits of a base in these types differ between torch and llama.cpp by what float16 caches and eight-bit activations
# do (measured: docs/lab-notes.md); llama.cpp rounds activations for the others more coarsely.
FINE_TYPES = frozenset({"F32", "F16", "BF16", "Q8_0"})
FINE_LOGIT_TOLERANCE, COARSE_LOGIT_TOLERANCE = 0.1, 1.0


def objections(report: Report) -> list[str]:
    """Why a candidate should not be promoted; nothing where it should."""
    found = []
    before, after = report.learnt.before, report.learnt.after
    if not after.loss < before.loss:
        found.append(f"the loss on what it should learn did not fall ({_loss(before)} -> {_loss(after)})")
    before, after = report.held_out.before, report.held_out.after
    if not after.loss <= before.loss * (1 + MOST_RISE):
        found.append(
            f"the loss on {after.rows} held-out answers rose by more than {MOST_RISE:.0%}"
            f" ({_loss(before)} -> {_loss(after)})"
        )
    return found


def _loss(score: Score) -> str:
    return f"{score.loss:.4f}"


def logit_tolerance(report: Report) -> float:
    """By how much llama.cpp's logits may differ from the trainer's, for the types of the base's tensors."""
    return FINE_LOGIT_TOLERANCE if FINE_TYPES.issuperset(report.tensor_types) else COARSE_LOGIT_TOLERANCE
