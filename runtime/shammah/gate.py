"""The gate: does a candidate adapter replace what is active."""

from collections.abc import Iterator

from shammah_convert.job import MOST_DRIFT, Change, Report, Score

MOST_RISE = 0.02
"""By so much of itself a loss that is to stay may rise; below 1 nat a token, by so many nats: 2% of perplexity."""
LEAST_HELD_OUT = 20
"""With fewer of the teacher's held-out answers their loss is noise, and has no say."""

# Root mean squares between torch's logits and llama.cpp's (docs/lab-notes.md): llama.cpp keeps keys and values in
# float16, and rounds activations to eight bits where the weights are quantized.
LOGIT_TOLERANCES = {"F32": 0.1, "BF16": 0.1, "F16": 0.1, "Q8_0": 0.5}
COARSE_LOGIT_TOLERANCE = 1.0


def objections(report: Report) -> list[str]:
    """Why a candidate should not be promoted; nothing where it should."""
    return list(_objections(report))


def merits(report: Report) -> list[str]:
    """What speaks for a candidate."""
    learnt, drift = report.learnt, report.drift.after.value
    found = []
    if learnt.after.loss < learnt.before.loss:
        found.append(f"the loss on what it should learn fell ({_losses(learnt)})")
    if learnt.after.exact > learnt.before.exact:
        found.append(f"{learnt.after.exact} of {learnt.after.rows} are exact ({learnt.before.exact} before)")
    for words, change in _kept(report):
        if _has_stayed(change):
            found.append(
                f"the loss on {change.after.rows} {words} stayed within {_bound(change):.3f} ({_losses(change)})"
            )
    if report.general.after.rows and drift <= MOST_DRIFT:
        found.append(
            f"it moves the answers to general questions by {drift:.4f} nats a token, of {MOST_DRIFT:g} allowed"
        )
    if report.confirmed.same:
        found.append(f"llama.cpp answers {report.confirmed.same} of {report.confirmed.asked} corrections to the letter")
    return found


def _objections(report: Report) -> Iterator[str]:
    if not report.learnt.after.loss < report.learnt.before.loss:
        yield f"the loss on what it should learn did not fall ({_losses(report.learnt)})"
    kept = list(_kept(report))
    if not kept:
        yield "there is no general question to compare with"
    for words, change in kept:
        if not _has_stayed(change):
            yield f"the loss on {change.after.rows} {words} rose by more than {_bound(change):.3f} ({_losses(change)})"
    if not report.drift.after.value <= MOST_DRIFT:  # NaN is not
        yield (
            f"it moves the answers to general questions by {report.drift.after.value:.4f} nats a token,"
            f" over {MOST_DRIFT:g}"
        )
    if is_unconfirmed(report):
        yield f"llama.cpp answers none of {report.confirmed.asked} corrections as the trainer says it does"


def is_unconfirmed(report: Report) -> bool:
    """Whether llama.cpp answers no correction as it should, though by the trainer's word one that it was asked must."""
    learnt, confirmed = report.learnt.after, report.confirmed
    return confirmed.same == 0 and learnt.exact + confirmed.asked > learnt.rows and confirmed.asked > 0


def _kept(report: Report) -> Iterator[tuple[str, Change]]:
    """What is to stay as it is, as far as it can be told."""
    if report.general.after.rows:
        yield "general questions", report.general
    if report.held_out.after.rows >= LEAST_HELD_OUT:
        yield "held-out answers", report.held_out


def _has_stayed(change: Change) -> bool:
    return change.after.loss <= change.before.loss + _bound(change)  # NaN has not


def _bound(change: Change) -> float:
    return MOST_RISE * max(1.0, change.before.loss)


def _losses(change: Change) -> str:
    return f"{_loss(change.before)} -> {_loss(change.after)}"


def _loss(score: Score) -> str:
    return f"{score.loss:.4f}"


def logit_tolerance(report: Report) -> float:
    """By how much llama.cpp's logits may differ from the trainer's, for the coarsest type of the base's tensors."""
    return max((LOGIT_TOLERANCES.get(name, COARSE_LOGIT_TOLERANCE) for name in report.tensor_types), default=0.1)
