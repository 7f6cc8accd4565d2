"""Sampling: how often the side that did not answer is asked as well, for the label only."""

from shammah.policy import CAUTIOUS_QUESTIONS, FIXED, Forward, Route, Thresholds


def propensity(chosen: Route, count: int, rate: float, settled: Thresholds = FIXED) -> float:
    """The probability with which the side that did not answer is asked in the background.

    On forwarded questions the local model costs no money: it runs on all of them for a while, while the contract
    lets nothing pass, or there would never be evidence, and while it rests on little.
    """
    is_wanted = count < CAUTIOUS_QUESTIONS or settled.router is None or settled.compares_all
    return 1.0 if isinstance(chosen, Forward) and is_wanted else rate


def judged_share(rate: float, compared: float | None) -> float:
    """Of the comparisons, the share that is worth a judge: its calls are teacher calls, which the rate bounds.

    Args:
        rate: Of the question.
        compared: The probability with which it came to be compared; None where that is not known.
    """
    return min(1.0, rate / compared) if compared else rate
