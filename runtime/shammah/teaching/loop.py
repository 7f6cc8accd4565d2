"""The loop of teaching: analyse, generate, train, verify, and again, until nothing improves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from shammah.errors import BudgetReached
from shammah.records.adapters import Training
from shammah.teaching import rounds
from shammah.teaching.analyze import active_key, analyze
from shammah.teaching.classroom import Classroom
from shammah.teaching.conversation import converse
from shammah.teaching.generate import generate
from shammah.teaching.requests import AnalyzeModel, GenerateTrainingData, Train
from shammah.teaching.results import Analysis, Recommendation
from shammah.teaching.rounds import Round
from shammah.teaching.train import train

MOST_AREAS = 2
"""That are dealt with in one round."""

Hear = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run of teaching may do.

    Attributes:
        accepts: What comes of it is let in unseen.
        focus: What to dwell on; empty where nothing special is.
    """

    most_rounds: int
    accepts: bool
    focus: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of teaching ended."""

    rounds: tuple[Round, ...]
    reason: str


class _Over(Exception):
    """Nothing more is to be done; the text says why."""


def run(room: Classroom, plan: Plan, hear: Hear = lambda _: None) -> Ended:
    """Teach until the rounds are over, the budget is used up, nothing improves, or a user's word is needed.

    Raises:
        BudgetReached: It does not cover the first call.
        ShammahError: It cannot begin, or the local model cannot answer.
        KeyboardInterrupt: It was interrupted; what is active is what the last whole round left.
    """
    done: list[Round] = []
    try:
        while not (reason := rounds.why_stop(done, plan.most_rounds)):
            done.append(_round(room, plan, len(done) + 1, hear))
            hear({"event": "round", "round": done[-1]})
    except _Over as over:
        if not (done or room.claude.spent_usd) and isinstance(over.__cause__, BudgetReached):
            raise over.__cause__ from None  # not one call could be paid
        reason = str(over)
    return Ended(tuple(done), reason)


def _round(room: Classroom, plan: Plan, number: int, hear: Hear) -> Round:
    begun, learns = active_key(room), dict(room.journal.quarantine.unlearnt(room.door))
    hear({"event": "analysing", "number": number})
    found = analyze(room, AnalyzeModel())
    hear({"event": "analysed", "analysis": found})
    if not learns:
        learns = _gather(room, plan, found, hear)
    trained = _trained(room, begun, len(learns), hear)
    tests, before, after = _compared(room, begun)
    effect = rounds.effect(before, after)
    if effect == "worse":
        hear({"event": "worse", "before": before, "after": after, "tests": tests})
        _take_back(room, trained, sorted(set(learns.values())))
    return Round(number, len(learns), tests, before, after, trained, effect, room.claude.spent_usd)


def _trained(room: Classroom, begun: str, examples: int, hear: Hear) -> Training | None:
    """Train what is new, where Claude has not done so meanwhile; how the last training ended."""
    if active_key(room) == begun:
        analyze(room, AnalyzeModel())  # questions that have just come are asked before, too
        hear({"event": "training", "examples": examples})
        train(room, Train())
    analyze(room, AnalyzeModel())
    return room.journal.trainings.last()


def _compared(room: Classroom, begun: str) -> tuple[int, int, int]:
    """How many questions were asked before and after a training, and how many were right; the same ones."""
    now = active_key(room)
    both = [id for id, active in room.heard if active == begun and (id, now) in room.heard]
    before, after = (sum(room.heard[id, active] for id in both) for active in (begun, now))
    return len(both), before, after


def _gather(room: Classroom, plan: Plan, found: Analysis, hear: Hear) -> dict[str, str]:
    """Have pairs made for what is weak, and let them in where that is wanted; what is to be learnt, with its batch."""
    weak = found.recommendations[:MOST_AREAS]
    if not weak:
        raise _Over("no weak area is left")
    begun, active = len(room.batches), active_key(room)
    try:
        _ask(room, plan, weak, hear)
    except BudgetReached as error:
        if len(room.batches) == begun:
            raise _Over(f"the budget is used up: {error}") from error
    if active_key(room) != active:  # Claude has trained, what was let in before
        return {id: batch for batch in room.batches[begun:] for id in room.journal.quarantine.of_batch(batch)}
    _let_in(room, plan, room.batches[begun:])
    return dict(room.journal.quarantine.unlearnt(room.door))


def _ask(room: Classroom, plan: Plan, weak: Sequence[Recommendation], hear: Hear) -> None:
    """Let Claude look and hand in pairs; where it hands in none, ask for them outright."""
    hear({"event": "asking", "areas": [each.category for each in weak]})

    def heard(name: str, result: dict[str, Any]) -> None:
        hear({"event": "called", "tool": name, "result": result})

    begun = room.journal.quarantine.waiting(room.door)
    converse(room, task(weak, plan.focus), heard)
    if room.journal.quarantine.waiting(room.door) > begun:
        return
    for each in weak:
        request = GenerateTrainingData(each.category, each.count, each.difficulty, plan.focus)  # type: ignore[arg-type]
        made = generate(room, request)
        hear({"event": "generated", "category": each.category, "generated": made})


def _let_in(room: Classroom, plan: Plan, batches: Sequence[str]) -> None:
    """Accept what came, where the user said so before."""
    if plan.accepts:
        for batch in batches:
            room.journal.quarantine.accept(room.door, room.journal.quarantine.of_batch(batch))
    if room.journal.quarantine.unlearnt(room.door):
        return
    waiting = room.journal.quarantine.waiting(room.door)
    if not waiting:
        raise _Over("no new example came of it")
    wait = "1 example waits" if waiting == 1 else f"{waiting} examples wait"
    raise _Over(
        f"{wait}: look at them with `shammah examples list --source {room.door}`, let them in with"
        f" `shammah examples accept --source {room.door}`, and teach again; or give --accept"
    )


def task(weak: Sequence[Recommendation], focus: str) -> str:
    """What Claude is told of the areas that are weak."""
    lines = [f"- {each.category}: about {each.count} pairs, {each.difficulty}; {each.why}" for each in weak]
    more = ["", f"Its user wants you to dwell on: {focus}"] if focus else []
    return "\n".join(["These areas need teaching:", *lines, *more])


def _take_back(room: Classroom, trained: Training | None, batches: Sequence[str]) -> None:
    """Go back to what was active before a training, and let what it learnt wait again."""
    active = [name for name, _ in room.journal.adapters.active(room.base.sha256)]
    if trained is not None and active == [trained.adapter]:
        room.journal.adapters.roll_back(room.base.sha256)
        room.reload()
    room.journal.quarantine.take_back(batches)
