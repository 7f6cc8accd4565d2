"""Is the quality contract kept, and at what price: `python -m bench.contract --data DIR`.

Shuffled streams meet the runtime's phases, sampling rates, heads (untrained at first) and contract. General questions
are decided by the router alone, word problems by router and validator, with the local model's own answers. Counted from
question 200 on. The hindsight best is the pair of fixed thresholds that, with the scores of that very run, lets most
local answers pass with no more bad ones than allowed.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import outcomes
from bench.outcomes import Drafted
from shammah import contract, features, policy
from shammah.contract import Evidence
from shammah.features import ANSWER_FEATURES, QUESTION_FEATURES, Features, Vector
from shammah.generation import Completion, End, Finish
from shammah.heads import ROUTER, VALIDATOR, Head
from shammah.policy import Forward, Local, Reason, Thresholds, Topic
from shammah.sampling import DEFAULT_RATES, propensity

RATES = (0.05, 0.1, 0.15, 0.25)
SETTLED = policy.CAUTIOUS_QUESTIONS
# The runtime looks after each lesson; here, after so many.
LOOK_EVERY = 10
KEPT_AIM, SHARE_AIM, WORTH = 0.95, 0.7, 0.1
WIDTHS = (16, 10, 8, 12, 14, 9, 8, 10, 9)


@dataclass(slots=True)
class Player:
    """A contract in the simulation: what it let pass of the questions after the phases."""

    rate: float
    settled: Thresholds = field(default_factory=lambda: Thresholds(None))
    passed: list[bool] = field(default_factory=list)

    def look(self, evidence: Sequence[Evidence]) -> None:
        """Decide anew."""
        self.settled = contract.decide(evidence, self.rate).thresholds


@dataclass(frozen=True, slots=True)
class Run:
    """One contract on one stream: shares of the questions after the phases, and bad rate of what passed."""

    share: float
    bad: float
    best_share: float

    def is_kept(self, rate: float) -> bool:
        """Whether no more answers were bad than allowed."""
        return self.bad <= rate


@dataclass(frozen=True, slots=True)
class Row:
    """All runs of a contract."""

    stream: str
    rate: float
    kept: float
    share: float
    best_share: float
    bad: float
    worst: float
    runs: int

    @property
    def of_best(self) -> float:
        """Local share as a part of the hindsight best."""
        return self.share / self.best_share if self.best_share else 1.0

    @property
    def verdict(self) -> str:
        """Whether both aims are reached."""
        if self.kept < KEPT_AIM:
            return "broken"
        return "short" if self.best_share > WORTH and self.of_best < SHARE_AIM else "reached"


class Pupils:
    """The heads of a run, and what they say of a question."""

    def __init__(self, has_validator: bool) -> None:
        self._router = Head.fresh("bayes", len(QUESTION_FEATURES), ROUTER)
        width = len(QUESTION_FEATURES) + len(ANSWER_FEATURES)
        self._validator = Head.fresh("bayes", width, VALIDATOR) if has_validator else None

    def scores(self, one: Drafted) -> tuple[float, float | None]:
        """P(a local answer will do), P(this one is good)."""
        judged = self._validator.probability(_seen_with_answer(one)) if self._validator else None
        return self._router.probability(_seen(one)), judged

    def learn(self, one: Drafted) -> None:
        """Take in how the local answer compares."""
        self._router.learn(_seen(one), one.outcome.is_not_worse, 1.0, 0)
        if self._validator:
            self._validator.learn(_seen_with_answer(one), one.outcome.is_not_worse, 1.0, 0)


def play(stream: Sequence[Drafted], rates: Sequence[float], seed: int) -> list[Run]:
    """Let contracts meet one stream; several at once where what is judged does not depend on them (no validator)."""
    has_validator = stream[0].answer is not None
    assert len(rates) == 1 or not has_validator, "a rejected draft is judged by one contract and not by another"
    pupils, players, chance = Pupils(has_validator), [Player(rate) for rate in rates], np.random.default_rng(seed)
    evidence: list[Evidence] = []
    scores = np.ones((len(stream), 2))
    for n, one in enumerate(stream):
        if n == SETTLED:
            _look(players, evidence)
        router, validator = pupils.scores(one)
        scores[n] = router, 1.0 if validator is None else validator
        propensity = 1.0
        for player in players:
            passed, propensity = _meet(player, n, *scores[n])
            if n >= SETTLED:
                player.passed.append(passed)
        if chance.random() < propensity:
            evidence.append(Evidence(router, validator, not one.outcome.is_not_worse, propensity))
            pupils.learn(one)
            if n >= SETTLED and len(evidence) % LOOK_EVERY == 0:
                _look(players, evidence)
    bad = np.array([not one.outcome.is_not_worse for one in stream[SETTLED:]])
    return [_run(player, bad, scores[SETTLED:]) for player in players]


def _look(players: Sequence[Player], evidence: Sequence[Evidence]) -> None:
    for player in players:
        player.look(evidence)


def _meet(player: Player, count: int, router: float, validator: float) -> tuple[bool, float]:
    """Whether the local answer passes, and the probability with which it is judged."""
    bars = policy.in_force(count, player.settled)
    if bars.router is None or router < bars.router:
        return False, propensity(Forward(Reason.LOW_CONFIDENCE), count, DEFAULT_RATES.at(count, Topic.GENERAL))
    if validator < bars.validator:
        return False, 1.0  # both sides have answered
    return True, propensity(Local(Reason.LOCAL_CONFIDENT), count, DEFAULT_RATES.at(count, Topic.GENERAL))


def _run(player: Player, bad: NDArray[np.bool_], scores: NDArray[np.float64]) -> Run:
    passed = np.array(player.passed)
    return Run(
        float(passed.mean()), float(bad[passed].mean()) if passed.any() else 0.0, hindsight(bad, scores, player.rate)
    )


def hindsight(bad: NDArray[np.bool_], scores: NDArray[np.float64], rate: float) -> float:
    """The largest share that fixed thresholds could have let pass with no more bad ones than allowed."""
    best = 0.0
    for bar in np.quantile(scores[:, 0], np.arange(0, 1, 0.05)) if np.ptp(scores[:, 1]) else [0.0]:
        rest = scores[:, 0] >= bar
        key = scores[rest, 1] if np.ptp(scores[:, 1]) else scores[rest, 0]
        rates = np.cumsum(bad[rest][np.argsort(-key, kind="stable")]) / np.arange(1, rest.sum() + 1)
        best = max(best, float((np.flatnonzero(rates <= rate).max(initial=-1) + 1) / len(bad)))
    return best


def rows(folder: Path, first_seed: int, runs: int) -> Iterator[Row]:
    """The table, stream by stream."""
    seeds = range(first_seed, first_seed + runs)
    for name, draw in streams(folder).items():
        together: list[list[Run]] = []
        for seed in seeds:
            stream = draw(seed)
            if stream[0].answer is None:
                together.append(play(stream, RATES, seed))
            else:
                together.append([play(stream, [rate], seed)[0] for rate in RATES])
        for rate, of_rate in zip(RATES, zip(*together, strict=True), strict=True):
            yield _row(name, rate, of_rate)


def streams(folder: Path) -> dict[str, Callable[[int], list[Drafted]]]:
    """How each stream is drawn: every file of questions, with drafts where the local model's answers are known."""
    found: dict[str, Callable[[int], list[Drafted]]] = {}
    for name in outcomes.questions(folder):
        drafted = outcomes.drafted(folder, name)
        assert len(drafted) > SETTLED, f"{name} has {len(drafted)} questions, and the phases alone take {SETTLED}"
        found[name] = lambda seed, drafted=drafted: _shuffled(drafted, seed)  # type: ignore[misc]
    return found


def _shuffled(drafted: Sequence[Drafted], seed: int) -> list[Drafted]:
    order = np.random.default_rng(1000 + seed).permutation(len(drafted))[: outcomes.MIXED_QUESTIONS]
    return [drafted[n] for n in order]


def _row(stream: str, rate: float, runs: Sequence[Run]) -> Row:
    share, best, bad = (float(np.mean([getattr(run, name) for run in runs])) for name in ("share", "best_share", "bad"))
    kept = float(np.mean([run.is_kept(rate) for run in runs]))
    return Row(stream, rate, kept, share, best, bad, max(run.bad for run in runs), len(runs))


@cache
def _question(text: str) -> Vector:
    return features.of_question(text)


@cache
def _answer(question: str, answer: str) -> Vector:
    return features.of_answer(question, Completion(answer, End(Finish.STOP, 0, 0)))


def _seen(one: Drafted) -> Features:
    return Features(_question(one.outcome.text), one.outcome.embedding)


def _seen_with_answer(one: Drafted) -> Features:
    assert one.answer is not None, "a validator sees an answer"
    text = one.outcome.text
    return Features(np.concatenate([_question(text), _answer(text, one.answer)]), one.outcome.embedding)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table as it comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of outcomes")
    parser.add_argument("--first-seed", type=int, default=0, help="0 is what is reported; tune on 1000 and more")
    parser.add_argument("--runs", type=int, default=200, help="shuffles of each stream")
    parser.add_argument("--json", action="store_true", dest="as_json", help="write one JSON object")
    options = parser.parse_args(arguments)
    measured = rows(options.data, options.first_seed, options.runs)
    if options.as_json:
        listed = [asdict(row) | {"of_best": row.of_best, "verdict": row.verdict} for row in measured]
        print(json.dumps({"data": str(options.data), "rows": listed}))
        return
    _print_line("stream", "allowed", "kept", "local share", "of hindsight", "part", "bad", "worst run", "verdict")
    for row in measured:
        shares = (f"{row.share:.3f}", f"{row.best_share:.3f}", f"{row.of_best:.2f}")
        _print_line(
            row.stream, f"{row.rate:g}", f"{row.kept:.3f}", *shares, f"{row.bad:.3f}", f"{row.worst:.3f}", row.verdict
        )


def _print_line(*cells: str) -> None:
    print("".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip(), flush=True)


if __name__ == "__main__":
    main()
