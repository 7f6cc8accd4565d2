"""Sampling: how often the side that did not answer is asked as well, for the label only."""

from dataclasses import dataclass

from shammah.policy import CAUTIOUS_QUESTIONS, FIXED, Forward, Route, Thresholds, Topic

# After a swap of adapters it is found out soon whether answers got better.
SWAP_QUESTIONS = 200


@dataclass(frozen=True, slots=True)
class SamplingRates:
    """Which share of the questions is compared, by how many were counted before; bounds the extra teacher calls.

    Attributes:
        to_100: Of the first 100 questions; the next two of those up to 500 and 2,000.
        later: Of all after them.
        after_swap: At least, of the 200 questions after a change of the active adapters.
        architecture_factor: So many times the rate for questions about architecture, 1 at most.
        security_factor: The same for security.
    """

    to_100: float = 0.5
    to_500: float = 0.2
    to_2000: float = 0.1
    later: float = 0.05
    after_swap: float = 0.2
    architecture_factor: float = 3.0
    security_factor: float = 5.0

    def at(self, count: int, topic: Topic, since_swap: int | None = None) -> float:
        """The rate for one question.

        Args:
            count: Questions before this one.
            topic: What it is about.
            since_swap: Questions since the active adapters changed, with this one; None where they never did.
        """
        phases = ((100, self.to_100), (500, self.to_500), (2000, self.to_2000))
        base = next((rate for until, rate in phases if count < until), self.later)
        if since_swap is not None and since_swap <= SWAP_QUESTIONS:
            base = max(base, self.after_swap)
        factors = {Topic.ARCHITECTURE: self.architecture_factor, Topic.SECURITY: self.security_factor}
        return min(1.0, base * factors.get(topic, 1.0))


DEFAULT_RATES = SamplingRates()


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
