"""Is the quality contract kept, and at what price: `python -m bench.contract --data DIR`.

Shuffled streams meet the runtime's phases, sampling rates, learners (untrained at first) and contract. General
questions are decided by the router alone, word problems by router and validator, with the local model's own answers.
Counted from question 200 on, where the contract takes over.

*Kept*: of all local answers that the run gave, no more were bad than allowed; no slack, luck included. *By luck*: runs
whose bad answers, if more than allowed, are no more than a rule of just the allowed rate has in 95 of 100 runs. The
hindsight best is the pair of fixed thresholds that, with the scores of that very run, lets most local answers pass with
no more bad ones than allowed. *Attainable*: one pair for all runs, chosen with every label of every run known, that is
kept in 95% of them. Where that is less than 70% of the hindsight best, luck chose the best: none could count on it.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import outcomes, pupils
from bench.pupils import Pupils, Stream
from shammah import contract, policy
from shammah.contract import Evidence
from shammah.policy import Forward, Local, Reason, Thresholds
from shammah.rates import DEFAULT_RATES
from shammah.sampling import propensity
from shammah.topics import Topic

RATES = (0.05, 0.1, 0.15, 0.25)
SETTLED = policy.CAUTIOUS_QUESTIONS
# The runtime decides after each lesson; here, when there are so many times as many judged answers.
LOOK_GROWTH = 1.05
KEPT_AIM, SHARE_AIM, WORTH = 0.95, 0.7, 0.1
LUCK = 0.05
ATTAINABLE_STEPS = 50
COLUMNS = {"stream": 16, "allowed": 10, "kept": 8, "by luck": 10, "local share": 14, "of best": 10, "part": 8}
COLUMNS |= {"attainable": 13, "bad": 9, "worst run": 12, "verdict": 12}


@dataclass(slots=True)
class Player:
    """A contract in the simulation, what it rests on, and what it let pass after the phases."""

    rate: float
    settled: Thresholds = field(default_factory=lambda: Thresholds(None))
    evidence: list[Evidence] = field(default_factory=list)
    passed: list[bool] = field(default_factory=list)
    scores: list[tuple[float, float]] = field(default_factory=list)
    _next_look: int = 0

    def meet(self, count: int, router: float, validator: float | None) -> float:
        """Let a local answer pass or not; the probability with which it is judged."""
        if count >= SETTLED and len(self.evidence) >= self._next_look:
            self.settled = contract.decide(self.evidence, self.rate).thresholds
            self._next_look = max(len(self.evidence) + 5, int(len(self.evidence) * LOOK_GROWTH))
        sure = 1.0 if validator is None else validator
        passed, share = _decided(count, router, sure, self.settled)
        if count >= SETTLED:
            self.passed.append(passed)
            self.scores.append((router, sure))
        return share


def _decided(count: int, router: float, validator: float, settled: Thresholds) -> tuple[bool, float]:
    """Whether a local answer passes, and the probability with which it is judged."""
    bars, rate = policy.in_force(count, settled), DEFAULT_RATES.at(count, Topic.GENERAL)
    if bars.router is None or router < bars.router:
        return False, propensity(Forward(Reason.LOW_CONFIDENCE), count, rate, settled)
    if validator < bars.validator:
        return False, 1.0  # both sides have answered
    return True, propensity(Local(Reason.LOCAL_CONFIDENT), count, rate, settled)


@dataclass(frozen=True, slots=True)
class Flock:
    """Players whose pupils have had the same lessons so far, and so are the same."""

    pupils: Pupils
    players: list[Player]

    def meet(self, n: int, is_bad: bool, draw: float) -> "list[Flock]":
        """One question; where it becomes a lesson of some players alone, they part."""
        router, validator = self.pupils.scores(n)
        learning, others = list[Player](), list[Player]()
        for player in self.players:
            share = player.meet(n, router, validator)
            if draw < share:
                player.evidence.append(Evidence(router, validator, is_bad, share))
            (learning if draw < share else others).append(player)
        parts = [Flock(self.pupils, others)] if others else []
        if learning:
            pupils = self.pupils.copied() if others else self.pupils
            pupils.learn(n)
            parts.append(Flock(pupils, learning))
        return parts


@dataclass(frozen=True, slots=True)
class Run:
    """One contract on one stream: questions after the phases, what passed of them, what of that was bad.

    Attributes:
        scores: What router and validator said of each question, (questions, 2).
        is_bad: Of each local answer, passed or not, (questions,).
    """

    questions: int
    passed: int
    bad: int
    best_share: float
    scores: NDArray[np.float32] = field(repr=False, compare=False)
    is_bad: NDArray[np.bool_] = field(repr=False, compare=False)

    @property
    def share(self) -> float:
        """Of the questions, the part that was answered locally."""
        return self.passed / self.questions

    @property
    def bad_rate(self) -> float:
        """Of the local answers, the part that was bad."""
        return self.bad / max(1, self.passed)


def play(stream: Stream, rates: Sequence[float], seed: int) -> list[Run]:
    """Let contracts meet one stream, each with the lessons that its own decisions bring."""
    players = [Player(rate) for rate in rates]
    flocks = [Flock(Pupils(stream), players)]
    for n, draw in enumerate(np.random.default_rng(seed).random(len(stream.is_bad))):
        flocks = [part for flock in flocks for part in flock.meet(n, bool(stream.is_bad[n]), float(draw))]
    return [_run(player, stream.is_bad[SETTLED:]) for player in players]


def _run(player: Player, bad: NDArray[np.bool_]) -> Run:
    passed, scores = np.array(player.passed, dtype=bool), np.array(player.scores)
    best = hindsight(bad, scores, player.rate)
    return Run(len(bad), int(passed.sum()), int(bad[passed].sum()), best, scores.astype(np.float32), bad)


def hindsight(bad: NDArray[np.bool_], scores: NDArray[np.float64], rate: float) -> float:
    """The largest share that fixed thresholds could have let pass with no more bad ones than allowed."""
    best = 0.0
    for bar in np.quantile(scores[:, 0], np.arange(0, 1, 0.05)) if np.ptp(scores[:, 1]) else [0.0]:
        rest = scores[:, 0] >= bar
        key = scores[rest, 1] if np.ptp(scores[:, 1]) else scores[rest, 0]
        rates = np.cumsum(bad[rest][np.argsort(-key, kind="stable")]) / np.arange(1, rest.sum() + 1)
        best = max(best, float((np.flatnonzero(rates <= rate).max(initial=-1) + 1) / len(bad)))
    return best


def attainable(runs: Sequence[Run], rate: float) -> float:
    """The largest share of one pair of thresholds that keeps the promise in 95% of the runs, all of them known."""
    scores, bad = np.array([run.scores for run in runs]), np.array([run.is_bad for run in runs])
    is_pair = np.ptp(scores[..., 1]) > 0
    key = scores[..., int(is_pair)]
    steps, best = np.arange(ATTAINABLE_STEPS) / ATTAINABLE_STEPS, 0.0
    for bar in np.quantile(scores[..., 0], steps[::5]) if is_pair else [0.0]:
        for least in np.quantile(key, steps):
            passes = (scores[..., 0] >= bar) & (key >= least)
            kept = np.mean((passes & bad).sum(axis=1) <= rate * passes.sum(axis=1))
            best = max(best, float(passes.mean())) if kept >= KEPT_AIM else best
    return best


def may_be_luck(passed: int, bad: int, rate: float) -> bool:
    """Whether a rule with just this bad rate has so many bad answers, or more, in over 5 of 100 runs (binomial)."""
    if bad <= rate * passed:
        return True
    if not 0 < rate < 1:
        return False
    below = np.arange(bad)  # numbers of bad answers less than what was seen
    steps = np.log((passed - below[:-1]) / (below[:-1] + 1)) + np.log(rate / (1 - rate))
    logs = passed * np.log1p(-rate) + np.concatenate([[0.0], np.cumsum(steps)])
    return bool(1 - np.exp(logs).sum() > LUCK)


@dataclass(frozen=True, slots=True)
class Row:
    """All runs of a contract."""

    stream: str
    rate: float
    kept: float
    kept_by_luck: float
    share: float
    best_share: float
    attainable: float
    bad: float
    worst: float
    runs: int

    @property
    def of_best(self) -> float:
        """Local share as a part of the hindsight best."""
        return self.share / self.best_share if self.best_share else 1.0

    @property
    def verdict(self) -> str:
        """Whether both aims are reached, with no slack for luck, and whether they can be."""
        if self.kept < KEPT_AIM:
            return "broken"
        if self.best_share <= WORTH or self.of_best >= SHARE_AIM:
            return "reached"
        return "short" if self.attainable >= SHARE_AIM * self.best_share else "unattainable"


def row(stream: str, rate: float, runs: Sequence[Run]) -> Row:
    """A contract's runs in one row; the bad rate is that of all local answers of all runs."""
    return Row(
        stream=stream,
        rate=rate,
        kept=float(np.mean([run.bad_rate <= rate for run in runs])),
        kept_by_luck=float(np.mean([may_be_luck(run.passed, run.bad, rate) for run in runs])),
        share=float(np.mean([run.share for run in runs])),
        best_share=float(np.mean([run.best_share for run in runs])),
        attainable=attainable(runs, rate),
        bad=sum(run.bad for run in runs) / max(1, sum(run.passed for run in runs)),
        worst=max(run.bad_rate for run in runs),
        runs=len(runs),
    )


def rows(folder: Path, names: Sequence[str], seeds: Sequence[int], axes: int | None = None) -> Iterator[Row]:
    """The table, stream by stream."""
    for name in names:
        whole = pupils.seen(folder, name, axes)
        count = len(whole.is_bad)
        assert count > SETTLED, f"{name} has {count} questions, and the phases alone take {SETTLED}"
        played = [play(whole.shuffled(seed), RATES, seed) for seed in seeds]
        for rate, of_rate in zip(RATES, zip(*played, strict=True), strict=True):
            yield row(name, rate, of_rate)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table as it comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of outcomes")
    parser.add_argument("--stream", action="append", help="only this one; may be given again")
    parser.add_argument("--first-seed", type=int, default=0, help="0 is what is reported; tune on 1000 and more")
    parser.add_argument("--runs", type=int, default=200, help="shuffles of each stream")
    parser.add_argument("--axes", type=int, help="principal axes of the inputs: less exact and many times as fast")
    parser.add_argument("--json", action="store_true", dest="as_json", help="write one JSON object")
    options = parser.parse_args(arguments)
    names = options.stream or list(outcomes.questions(options.data))
    seeds = range(options.first_seed, options.first_seed + options.runs)
    measured = rows(options.data, names, seeds, options.axes)
    if options.as_json:
        listed = [asdict(row) | {"of_best": row.of_best, "verdict": row.verdict} for row in measured]
        print(json.dumps({"data": str(options.data), "axes": options.axes, "rows": listed}))
        return
    _print_line(*COLUMNS)
    for one in measured:
        shares = [f"{value:.3f}" for value in (one.share, one.best_share, one.of_best, one.attainable, one.bad)]
        kept = (f"{one.kept:.3f}", f"{one.kept_by_luck:.3f}")
        _print_line(one.stream, f"{one.rate:g}", *kept, *shares, f"{one.worst:.3f}", one.verdict)


def _print_line(*cells: str) -> None:
    print("".join(cell.ljust(width) for cell, width in zip(cells, COLUMNS.values(), strict=True)).rstrip(), flush=True)


if __name__ == "__main__":
    main()
