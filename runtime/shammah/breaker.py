"""Whether the teacher is asked at all: where it was out of reach several times in a row, nobody waits for it. Pure.

After a pause one call tries again; the others go on without the teacher until something has come of that.
"""

import time
from dataclasses import dataclass

MOST_FAILURES = 3
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 30.0, 600.0
TRIAL_SECONDS = 120.0
"""So long the others wait for what comes of a trial: whoever makes it may be killed meanwhile."""


@dataclass(frozen=True, slots=True)
class Outage:
    """How often in a row the teacher was out of reach.

    Attributes:
        since: When that began, in seconds of the epoch.
        until: Up to then nobody asks.
    """

    failures: int = 0
    since: float = 0.0
    until: float = 0.0

    def is_pausing(self, now: float) -> bool:
        """Whether nobody is to ask; a clock that was set back keeps nobody waiting."""
        return self.since <= now < self.until

    def after_failure(self, now: float) -> "Outage":
        """One more: each lengthens the pause."""
        failures, since = self.failures + 1, min(self.since or now, now)
        if failures < MOST_FAILURES:
            return Outage(failures, since)
        pause = min(FIRST_PAUSE_SECONDS * 2 ** min(failures - MOST_FAILURES, 10), LONGEST_PAUSE_SECONDS)
        return Outage(failures, since, now + pause)

    def on_trial(self, now: float) -> "Outage":
        """One tries again, and nobody else meanwhile."""
        return Outage(self.failures, min(self.since, now), now + TRIAL_SECONDS)

    def in_words(self, who: str) -> str:
        """For a person, by the clock on the wall."""
        times = f"{self.failures} time{'s' * (self.failures != 1)} in a row"
        told = f"{who} was out of reach {times} since {_clock(self.since)}"
        return f"{told}, and is not asked until {_clock(self.until)}" if self.until else told


def _clock(moment: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment))
