"""The quality contract of a base lineage, kept in step with the journal.

What it says is kept in a file that names the last lesson it knows: a question reads the file, and only after a new
lesson is the contract decided anew, by whoever comes first, the worker as a rule.
"""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from shammah import contract
from shammah.contract import Standing
from shammah.journal import Journal
from shammah.learners import DEFAULT_KIND, Kind
from shammah.policy import CAUTIOUS_QUESTIONS, FIXED, Thresholds, in_force
from shammah.replacing import write_atomically
from shammah.settings import Settings

VERSION = 2
"""Of the file; one of another version is decided anew."""


State = Literal["off", "early", "unknown", "unkept", "kept"]
STATES: Mapping[State, str] = {
    "off": "off: both thresholds are fixed",
    "early": f"it has no say before question {CAUTIOUS_QUESTIONS}",
    "unknown": "too few answers were judged yet, so all is forwarded",
    "unkept": "no thresholds are sure to keep it, so all is forwarded",
    "kept": "local answers pass from its thresholds on",
}


@dataclass(frozen=True, slots=True)
class Promise:
    """The quality contract of a base as it stands, for whoever asks why.

    Attributes:
        state: What it does now; `STATES` has the words.
        max_bad_rate: That the user allows; None where it is off.
        standing: What it rests on; None where it is off.
        thresholds: Of the next question.
    """

    state: State
    max_bad_rate: float | None
    standing: Standing | None
    thresholds: Thresholds

    @property
    def is_by_similarity(self) -> bool:
        """Whether no person and no judge stands behind it."""
        return self.standing is not None and self.standing.judged > 0 and self.standing.certain == 0


def promise(held: "Contract | None", count: int) -> Promise:
    """What the contract, or its absence, means for the next question after `count`."""
    if held is None:
        return Promise("off", None, None, in_force(count, FIXED))
    standing = held.standing()
    return Promise(_state(standing, count), held.max_bad_rate, standing, in_force(count, standing.thresholds))


def _state(standing: Standing, count: int) -> State:
    if count < CAUTIOUS_QUESTIONS:
        return "early"
    if standing.thresholds.router is not None:
        return "kept"
    return "unknown" if standing.judged < contract.LEAST else "unkept"


def max_bad_rate(settings: Settings) -> float | None:
    """The rate of bad local answers that the user allows; None where the contract is off."""
    chosen = settings.quality.max_bad_rate
    if isinstance(chosen, str):
        return contract.PRESETS.get(chosen)
    return chosen


def of_base(settings: Settings, journal: Journal, lineage: str) -> "Contract | None":
    """The contract of a base; None where it is off."""
    allowed = max_bad_rate(settings)
    return None if allowed is None else Contract(settings.home, journal, lineage, allowed, settings.heads.learner)


class Contract:
    """What the quality contract says of one base lineage."""

    def __init__(
        self, home: Path, journal: Journal, lineage: str, max_bad_rate: float, learner: Kind = DEFAULT_KIND
    ) -> None:
        """Take a base lineage, what the user allows, and the learner of the heads whose scores are met."""
        self._file = home / "heads" / lineage[:16] / "contract.json"
        self._journal = journal
        self._lineage = lineage
        self._learner = learner
        self.max_bad_rate = max_bad_rate

    def thresholds(self, count: int) -> Thresholds:
        """Both thresholds after `count` questions; in the early phases the contract has no say."""
        return FIXED if count < CAUTIOUS_QUESTIONS else self.standing().thresholds

    def standing(self) -> Standing:
        """What holds now."""
        known = {
            "version": VERSION,
            "lesson": self._journal.lessons.last("router", self._lineage),
            "router_view": self._journal.heads.view(self._lineage, "router").number,
            "validator_view": self._journal.heads.view(self._lineage, "validator").number,
            "max_bad_rate": self.max_bad_rate,
            "learner": self._learner,
        }
        return self._read(known) or self._decide(known)

    def _read(self, known: Mapping[str, object]) -> Standing | None:
        """What was kept, where it knows all that is known."""
        try:
            kept = json.loads(self._file.read_bytes())
            if kept["known"] != known:
                return None
            standing = Standing(**kept["standing"])
            return replace(standing, thresholds=Thresholds(**kept["standing"]["thresholds"]))
        except (OSError, ValueError, KeyError, TypeError):  # none there, or damaged: the journal knows all of it
            return None

    def _decide(self, known: Mapping[str, object]) -> Standing:
        evidence = self._journal.lessons.evidence(self._lineage, contract.WINDOW, self._learner)
        standing = contract.decide(evidence, self.max_bad_rate)
        with contextlib.suppress(OSError):  # it is decided anew next time
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, json.dumps({"known": known, "standing": asdict(standing)}).encode())
        return standing


def in_words(standing: Standing, max_bad_rate: float) -> str:
    """The contract in one line."""
    if standing.estimate is None:
        return f"too little is known, so all is forwarded; {evidence_in_words(standing, max_bad_rate)}"
    return evidence_in_words(standing, max_bad_rate)


def evidence_in_words(standing: Standing, max_bad_rate: float) -> str:
    """What is promised, what is known of it, and from whom."""
    rests_on = f"{standing.judged} judged answers, {standing.certain} of them by you or a judge"
    if standing.judged and not standing.certain:
        rests_on = f"{standing.judged} judged answers; estimated by similarity"
    if standing.estimate is None or standing.bound is None:
        return f"at most {max_bad_rate:.0%} bad; no estimate ({rests_on})"
    return (
        f"at most {max_bad_rate:.0%} bad; estimate {standing.estimate:.1%}, bound {standing.bound:.1%},"
        f" {standing.share:.0%} local ({rests_on})"
    )
