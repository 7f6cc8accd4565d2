"""The quality contract of a base lineage, kept in step with the journal.

What it says is kept in a file that names the last lesson it knows: a question reads the file, and only after a new
lesson is the contract decided anew, by whoever comes first, the worker as a rule.
"""

import contextlib
import json
from dataclasses import asdict, replace
from pathlib import Path

from shammah import contract
from shammah.config import Settings
from shammah.contract import Standing
from shammah.heads import write_atomically
from shammah.journal import Journal
from shammah.policy import CAUTIOUS_QUESTIONS, FIXED, Thresholds

VERSION = 2
"""Of the file; one of another version is decided anew."""


def max_bad_rate(settings: Settings) -> float | None:
    """The rate of bad local answers that the user allows; None where the contract is off."""
    chosen = settings.quality.max_bad_rate
    if isinstance(chosen, str):
        return contract.PRESETS.get(chosen)
    return chosen


class Contract:
    """What the quality contract says of one base lineage."""

    def __init__(self, home: Path, journal: Journal, lineage: str, max_bad_rate: float) -> None:
        self._file = home / "heads" / lineage[:16] / "contract.json"
        self._journal = journal
        self._lineage = lineage
        self.max_bad_rate = max_bad_rate

    def thresholds(self, count: int) -> Thresholds:
        """Both thresholds after `count` questions; in the early phases the contract has no say."""
        return FIXED if count < CAUTIOUS_QUESTIONS else self.standing().thresholds

    def standing(self) -> Standing:
        """What holds now."""
        known = {
            "version": VERSION,
            "lesson": self._journal.last_lesson("router", self._lineage),
            "router_view": self._journal.heads.view(self._lineage, "router").number,
            "validator_view": self._journal.heads.view(self._lineage, "validator").number,
            "max_bad_rate": self.max_bad_rate,
        }
        return self._read(known) or self._decide(known)

    def _read(self, known: dict[str, float]) -> Standing | None:
        """What was kept, where it knows all that is known."""
        try:
            kept = json.loads(self._file.read_bytes())
            if kept["known"] != known:
                return None
            standing = Standing(**kept["standing"])
            return replace(standing, thresholds=Thresholds(**kept["standing"]["thresholds"]))
        except (OSError, ValueError, KeyError, TypeError):  # none there, or damaged: the journal knows all of it
            return None

    def _decide(self, known: dict[str, float]) -> Standing:
        standing = contract.decide(self._journal.evidence(self._lineage, contract.WINDOW), self.max_bad_rate)
        with contextlib.suppress(OSError):  # it is decided anew next time
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, json.dumps({"known": known, "standing": asdict(standing)}).encode())
        return standing


def in_words(standing: Standing, max_bad_rate: float) -> str:
    """The contract in one line."""
    rests_on = f"{standing.judged} judged answers, {standing.certain} of them by you or a judge"
    if standing.judged and not standing.certain:
        rests_on = f"{standing.judged} judged answers; estimated by similarity"
    if standing.estimate is None or standing.bound is None:
        return f"at most {max_bad_rate:.0%} bad; too little is known, so all is forwarded ({rests_on})"
    return (
        f"at most {max_bad_rate:.0%} bad; estimate {standing.estimate:.1%}, bound {standing.bound:.1%},"
        f" {standing.share:.0%} local ({rests_on})"
    )
