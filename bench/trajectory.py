"""The long run: 5,000 real questions, three promotions, `python -m bench.trajectory --data DIR`.

A life (`promotions.py`) is played through the runtime's own decisions: features, both heads with their forgetting,
phases, contract and sampling. Beside it stand the same with fixed thresholds, the teacher alone, and an oracle that
knows when the local answer is worse. Forward rate, quality and cost are drawn over time.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench import plot
from bench.contract import LOOK_GROWTH
from bench.outcomes import Drafted
from bench.promotions import Life, life
from bench.pupils import by_router, by_validator
from shammah import categories, contract, policy
from shammah.catalog import price_of
from shammah.contract import Evidence
from shammah.features import ANSWER_FEATURES, QUESTION_FEATURES
from shammah.growing import Taught
from shammah.heads import ROUTER, VALIDATOR, Head
from shammah.journal.heads import REFIT_LESSONS
from shammah.policy import FIXED, Limits, Local, Route, Thresholds
from shammah.rates import DEFAULT_RATES
from shammah.sampling import propensity
from shammah.settings import TeacherSettings

QUESTIONS, PROMOTIONS, IMPROVED = 5000, 3, 1 / 6
WINDOWS, LAST = 50, 500
ONLINE = Limits(has_key=True)
# What a call is taken to cost: a token is four characters of the question, and so many are answered.
CHARACTERS_A_TOKEN, ANSWER_TOKENS = 4, 300

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Run:
    """What became of each question, (n,).

    Attributes:
        is_local: The local answer was given.
        is_asked: The teacher was called, to answer or for the label.
        is_right: What was given was right.
        is_worse: The local answer was given, and the teacher's would have been better.
        usd: Spent on the teacher.
    """

    is_local: Flags
    is_asked: Flags
    is_right: Flags
    is_worse: Flags
    usd: NDArray[np.float64]


class Player:
    """The runtime's decisions over a life; without a rate its thresholds are fixed."""

    def __init__(self, max_bad_rate: float | None) -> None:
        self._max_bad_rate = max_bad_rate
        self._router = Head.fresh("bayes", len(QUESTION_FEATURES), ROUTER)
        self._validator = Head.fresh("bayes", len(QUESTION_FEATURES) + len(ANSWER_FEATURES), VALIDATOR)
        self._taught: list[Taught] = []
        self._evidence: list[Evidence] = []
        self._settled = FIXED if max_bad_rate is None else Thresholds(None)
        self._next_look = 0

    def meet(self, lived: Life, number: int, draw: float) -> tuple[bool, bool]:
        """One question: whether the local answer is given, and whether the teacher is called."""
        one = lived.questions[number]
        self._look(number)
        p_local = self._router.probability(by_router(one))
        p_good = self._validator.probability(by_validator(one))
        routed = policy.route(p_local, number, ONLINE, self._settled)
        chosen = policy.review(p_good, True, routed, number, ONLINE, self._settled) if _is_local(routed) else routed
        share = 1.0  # of a rejected draft both sides are there
        if _is_local(chosen) == _is_local(routed):
            topic = categories.topic(one.outcome.text)
            share = propensity(chosen, number, DEFAULT_RATES.at(number, topic, lived.since_swap(number)), self._settled)
        if is_compared := draw < share:
            self._evidence.append(Evidence(p_local, p_good, not one.outcome.is_not_worse, share))
            self._learn(one, lived.applied(number))
        return _is_local(chosen), is_compared or not _is_local(chosen)

    def _learn(self, one: Drafted, applied: int) -> None:
        """Both heads take the comparison in, after a promotion they forget, and trees grow anew, as in the runtime."""
        for head in (self._router, self._validator):
            head.note_applied(applied)
        self._router.learn(by_router(one), one.outcome.is_not_worse, 1.0, 0)
        self._taught.append(self._validator.learn(by_validator(one), one.outcome.is_not_worse, 1.0, 0))
        if len(self._taught) % REFIT_LESSONS == 0:
            self._validator.grow(self._taught)

    def _look(self, number: int) -> None:
        """Decide the contract anew, now and then; the runtime does so after each lesson."""
        judged = len(self._evidence)
        if self._max_bad_rate is None or number < policy.CAUTIOUS_QUESTIONS or judged < self._next_look:
            return
        self._settled = contract.decide(self._evidence, self._max_bad_rate).thresholds
        self._next_look = max(judged + 5, min(judged + 50, int(judged * LOOK_GROWTH)))


def _is_local(route: Route) -> TypeGuard[Local]:
    return isinstance(route, Local)


def play(lived: Life, max_bad_rate: float | None, seed: int) -> Run:
    """Let the runtime's decisions meet a life."""
    player, draws = Player(max_bad_rate), np.random.default_rng(seed).random(len(lived.questions))
    met = [player.meet(lived, number, float(draw)) for number, draw in enumerate(draws)]
    is_local, is_asked = (np.array(flags, dtype=bool) for flags in zip(*met, strict=True))
    return lived_through(lived, is_local, is_asked)


def lived_through(lived: Life, is_local: Flags, is_asked: Flags) -> Run:
    """What decisions made of a life."""
    local = np.array([one.outcome.local for one in lived.questions])
    teacher = np.array([one.outcome.teacher for one in lived.questions])
    worse = np.array([not one.outcome.is_not_worse for one in lived.questions])
    usd = np.array([_usd(one.outcome.text) for one in lived.questions])
    return Run(is_local, is_asked, np.where(is_local, local, teacher), is_local & worse, np.where(is_asked, usd, 0.0))


def _usd(question: str) -> float:
    price = price_of(TeacherSettings().model)
    cost = price.cost_usd(len(question) // CHARACTERS_A_TOKEN, ANSWER_TOKENS) if price else None
    assert cost is not None, "the default teacher has a list price"
    return cost


def runs(lived: Life, max_bad_rate: float, seed: int) -> dict[str, Run]:
    """All strategies on one life; each name begins with the letter that draws it."""
    everything = np.ones(len(lived.questions), dtype=bool)
    is_good = np.array([one.outcome.is_not_worse for one in lived.questions])
    return {
        "contract": play(lived, max_bad_rate, seed),
        "fixed thresholds": play(lived, None, seed),
        "always forward": lived_through(lived, ~everything, everything),
        "oracle": lived_through(lived, is_good, ~is_good),
    }


def curves(run: Run) -> dict[str, list[float]]:
    """Forward rate, quality and cost in windows of the life."""
    windows = np.array_split(np.arange(len(run.is_local)), min(WINDOWS, len(run.is_local)))
    return {
        "forward rate": [float(1 - run.is_local[window].mean()) for window in windows],
        "right answers": [float(run.is_right[window].mean()) for window in windows],
        "usd a question": [float(run.usd[window].mean()) for window in windows],
    }


def totals(run: Run, last: int = LAST) -> dict[str, float]:
    """A run in numbers."""
    return {
        "forward rate": float(1 - run.is_local.mean()),
        "forward rate at the end": float(1 - run.is_local[-last:].mean()),
        "right answers": float(run.is_right.mean()),
        "right answers at the end": float(run.is_right[-last:].mean()),
        "bad local answers": float(run.is_worse.sum() / max(1, run.is_local.sum())),
        "teacher calls": int(run.is_asked.sum()),
        "usd": float(run.usd.sum()),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Play one life and draw it."""
    options = _parser().parse_args(arguments)
    lived = life(options.data, options.questions, options.promotions, options.improved, options.seed)
    played = runs(lived, options.max_bad_rate, options.seed)
    if options.as_json:
        listed = {name: {"totals": totals(run), "curves": curves(run)} for name, run in played.items()}
        facts = {"data": str(options.data), "questions": len(lived.questions), "promotions": lived.promotions}
        print(json.dumps(facts | {"max_bad_rate": options.max_bad_rate, "runs": listed}))
        return
    show(lived, played)


def show(lived: Life, played: Mapping[str, Run]) -> None:
    """The table, then the drawings."""
    count = len(lived.questions)
    table = Table(title=f"{count} questions, promotions before {', '.join(map(str, lived.promotions)) or 'none'}")
    for heading in ("", *totals(next(iter(played.values())))):
        table.add_column(heading, justify="right" if heading else "left")
    for name, run in played.items():
        table.add_row(name, *(_written(value, heading) for heading, value in totals(run).items()))
    Console().print(table)
    marks = [at * min(WINDOWS, count) // count for at in lived.promotions]
    drawn = {name: curves(run) for name, run in played.items()}
    for what in next(iter(drawn.values())):
        lines = {name: curve[what] for name, curve in drawn.items()}
        print("\n" + plot.draw(what, lines, marks, as_percent=not what.startswith("usd")))
    letters = ", ".join(f"{name[0]}: {name}" for name in played)
    print(f"{letters}; ^: a promotion; {count // WINDOWS} questions a column")


def _written(value: float, heading: str) -> str:
    if heading == "usd":
        return f"{value:.2f}"
    return str(value) if isinstance(value, int) else f"{value:.1%}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of outcomes")
    parser.add_argument("--questions", type=int, default=QUESTIONS, help="the life's length, at most")
    parser.add_argument("--promotions", type=int, default=PROMOTIONS, help="how often the local model gets better")
    parser.add_argument("--improved", type=float, default=IMPROVED, help="part of the subjects that each improves")
    parser.add_argument("--max-bad-rate", type=float, default=contract.PRESETS["balanced"], help="of the contract")
    parser.add_argument("--seed", type=int, default=0, help="of the shuffle and of what is sampled")
    parser.add_argument("--json", action="store_true", dest="as_json", help="write one JSON object")
    return parser


if __name__ == "__main__":
    main()
