"""The rates of sampling, as a user sets them: settings are read by every command, before anything is decided."""

from dataclasses import dataclass

from shammah.topics import Topic

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
