"""The gate: does a candidate adapter replace what is active."""

from shammah_convert.job import Report, Score

MOST_RISE = 0.02
"""By so much of itself the held-out loss may rise; below 1 nat a token, by so many nats: 2% of perplexity."""

# Root mean squares between torch's logits and llama.cpp's (docs/lab-notes.md): llama.cpp keeps keys and values in
# float16, and rounds activations to eight bits where the weights are quantized.
LOGIT_TOLERANCES = {"F32": 0.1, "BF16": 0.1, "F16": 0.1, "Q8_0": 0.5}
COARSE_LOGIT_TOLERANCE = 1.0


def objections(report: Report) -> list[str]:
    """Why a candidate should not be promoted; nothing where it should."""
    found = []
    before, after = report.learnt.before, report.learnt.after
    if not after.loss < before.loss:
        found.append(f"the loss on what it should learn did not fall ({_loss(before)} -> {_loss(after)})")
    before, after = report.held_out.before, report.held_out.after
    if not after.rows:
        found.append("there is no held-out answer to compare with")
    if not after.loss <= before.loss + MOST_RISE * max(1.0, before.loss):
        found.append(
            f"the loss on {after.rows} held-out answers rose by more than {MOST_RISE * max(1.0, before.loss):.3f}"
            f" ({_loss(before)} -> {_loss(after)})"
        )
    return found


def _loss(score: Score) -> str:
    return f"{score.loss:.4f}"


def logit_tolerance(report: Report) -> float:
    """By how much llama.cpp's logits may differ from the trainer's, for the coarsest type of the base's tensors."""
    return max((LOGIT_TOLERANCES.get(name, COARSE_LOGIT_TOLERANCE) for name in report.tensor_types), default=0.1)
