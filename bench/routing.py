"""The router on real outcomes: ours beside the reference, `python -m bench.routing --data DIR`.

Offline: a half of a file's questions teaches, the other half tests. Online: a shuffled stream in the phases and at
the sampling rates of the runtime; a label is seen only where the local model answered or was sampled, and the
teacher's where it was asked. Every head starts untrained.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bench import outcomes, reference, scores
from bench.outcomes import MIXED, Outcome
from bench.pair import Pair
from bench.reference import Reference
from bench.scored import Figure, figure, main
from shammah import features, policy
from shammah.features import QUESTION_FEATURES, Features, Vector
from shammah.rates import DEFAULT_RATES
from shammah.topics import Topic

SPLITS, SEEDS = 20, 5
THRESHOLD = 0.5
THRESHOLDS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SETTLED = 200
LAST = 500
HAND = len(QUESTION_FEATURES)
REFERENCE_WIDTH = 405
AIMS = {
    "offline": {"gsm8k": 0.62, "mmlu": 0.63, MIXED: 0.63},
    "online": {"gsm8k": 0.59, "mmlu": 0.70, MIXED: 0.685},
    "sweep": {"gsm8k": 0.575, "mmlu": 0.56, MIXED: 0.585},
}


class Router(Protocol):
    """A learner of the bench: it sees outcomes, and is told what a lesson says of each side."""

    def p_local(self, question: Outcome) -> float:
        """P(the local answer is right)."""
        ...

    def will_do(self, question: Outcome) -> float:
        """What the sweep's threshold stands against: how probably a local answer will do."""
        ...

    def learn(self, question: Outcome, local: bool | None, teacher: bool | None) -> None:
        """Take in what was seen; None where a side was not asked."""
        ...

    def note_swap(self) -> None:
        """Hear that the local model changed."""
        ...


class Theirs:
    """The reference: one learner of whether the local answer is right."""

    def __init__(self) -> None:
        self._learner = Reference(REFERENCE_WIDTH)

    def p_local(self, question: Outcome) -> float:
        """P(the local answer is right)."""
        return self._learner.probability(_reference_input(question))

    will_do = p_local

    def learn(self, question: Outcome, local: bool | None, teacher: bool | None) -> None:
        """Take in what was seen of the local side."""
        if local is not None:
            self._learner.learn(_reference_input(question), local)

    def note_swap(self) -> None:
        """It hears nothing of swaps."""


class Ours:
    """The runtime's heads: one for each side."""

    def __init__(self) -> None:
        self._pair = Pair.fresh("bayes", HAND)
        self._swaps = 0

    def p_local(self, question: Outcome) -> float:
        """P(the local answer is right)."""
        return self._pair.local.probability(_seen(question))

    def will_do(self, question: Outcome) -> float:
        """One minus what the teacher is expected to add."""
        return 1 - self._pair.gain(_seen(question))

    def learn(self, question: Outcome, local: bool | None, teacher: bool | None) -> None:
        """Take in what was seen of each side."""
        if local is not None:
            self._pair.local.note_applied(self._swaps)
            self._pair.local.learn(_seen(question), local, 1.0, 0)
        if teacher is not None:
            self._pair.teacher.learn(_seen(question), teacher, 1.0, 0)

    def note_swap(self) -> None:
        """The next lesson judges another adapter."""
        self._swaps += 1


@dataclass(frozen=True, slots=True)
class Run:
    """One online stream: for each question P(local right), whether the local model answered, the teacher was asked."""

    questions: Sequence[Outcome]
    p_local: NDArray[np.float64]
    is_local: NDArray[np.bool_]
    is_asked: NDArray[np.bool_]

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """Whether the local answer is right."""
        return np.array([question.local for question in self.questions])

    def recovered(self) -> tuple[float, float]:
        """Share of teacher calls and accuracy of what was served, after the first 200 questions."""
        teacher = np.array([question.teacher for question in self.questions])
        served = np.where(self.is_asked, teacher, self.is_right)
        return float(self.is_asked[SETTLED:].mean()), float(served[SETTLED:].mean())


def play(router: Router, questions: Sequence[Outcome], seed: int, threshold: float, by_contest: bool = False) -> Run:
    """Let a router meet a stream, in the runtime's phases and at its sampling rates."""
    chance, count = np.random.default_rng(77_000 + seed), len(questions)
    p_local, is_local, is_asked = np.zeros(count), np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    for n, question in enumerate(questions):
        p_local[n] = router.p_local(question)
        score = router.will_do(question) if by_contest else p_local[n]
        is_sampled = chance.random() < DEFAULT_RATES.at(n, Topic.GENERAL)
        is_local[n] = score > _threshold(n, threshold)
        is_asked[n] = is_sampled or not is_local[n]
        local = question.local if is_local[n] or is_sampled else None
        router.learn(question, local, question.teacher if is_asked[n] else None)
    return Run(questions, p_local, is_local, is_asked)


def _threshold(count: int, settled: float) -> float:
    """The mission's phases: nothing, then 0.95, then a threshold."""
    early = policy.threshold(count)
    return 2.0 if early is None else settled if early == THRESHOLD else early


def improving(folder: Path, seed: int) -> tuple[list[Outcome], set[str]]:
    """The last stream; half-way the local model reaches the teacher on the first file and a third of the subjects."""
    name = outcomes.streams(folder)[-1]
    questions = outcomes.stream(folder, name, seed)
    subjects = sorted({question.subject for question in questions})
    drawn = np.random.default_rng(1000 + seed).permutation(len(subjects))[: max(1, len(subjects) // 3)]
    first = next(iter(outcomes.questions(folder).values())) if name == MIXED else ()
    better, half = {subjects[n] for n in drawn} | {question.subject for question in first}, len(questions) // 2
    after = [
        replace(question, local=question.local or question.teacher) if question.subject in better else question
        for question in questions[half:]
    ]
    return questions[:half] + after, better


def offline(folder: Path, stream: str, seed: int) -> dict[str, float]:
    """APGR of three ways to learn from one half of a file."""
    questions = outcomes.stream(folder, stream, 500 + seed, most=None)
    half = len(questions) // 2
    lessons, tests = questions[:half], questions[half:]
    theirs, single, ours = Theirs(), Ours(), Ours()
    for question in lessons:
        theirs.learn(question, question.is_not_worse, None)
        single.learn(question, question.is_not_worse, None)
        ours.learn(question, question.local, question.teacher)
    local, teacher = [q.local for q in tests], [q.teacher for q in tests]
    return {
        "theirs": scores.apgr([-theirs.p_local(q) for q in tests], local, teacher),
        "one head": scores.apgr([-single.p_local(q) for q in tests], local, teacher),
        "two heads": scores.apgr([-ours.will_do(q) for q in tests], local, teacher),
    }


def online(make: Callable[[], Router], folder: Path, stream: str, seed: int) -> tuple[float, float]:
    """AUROC of "the local answer is right" and the calibration error, after the first 200 questions."""
    run = play(make(), outcomes.stream(folder, stream, seed), seed, THRESHOLD)
    right, p = run.is_right[SETTLED:], run.p_local[SETTLED:]
    return scores.auroc(right, p), scores.calibration_error(right, p)


def sweep(make: Callable[[], Router], folder: Path, stream: str, seed: int, by_contest: bool) -> float:
    """Area over teacher calls of the recovered gap, a whole stream for each threshold."""
    questions = outcomes.stream(folder, stream, seed)
    points = [play(make(), questions, seed, threshold, by_contest).recovered() for threshold in THRESHOLDS]
    low = float(np.mean([question.local for question in questions[SETTLED:]]))
    high = float(np.mean([question.teacher for question in questions[SETTLED:]]))
    calls, accuracy = zip(*sorted([(0.0, low), *points, (1.0, high)]), strict=True)
    return float(np.trapezoid([(value - low) / (high - low) for value in accuracy], calls))


def forwarded(make: Callable[[], Router], folder: Path, seed: int) -> tuple[float, float]:
    """Forward share in the last 500 after the improvement half-way: of the improved subjects, of the others."""
    questions, better = improving(folder, seed)
    router = Swapping(make(), len(questions) // 2)
    run = play(router, questions, seed, THRESHOLD)
    is_better = np.array([question.subject in better for question in questions[-LAST:]])
    is_forwarded = ~run.is_local[-LAST:]
    return float(is_forwarded[is_better].mean()), float(is_forwarded[~is_better].mean())


class Swapping:
    """A router that hears of a swap before the question of a given number."""

    def __init__(self, router: Router, at: int) -> None:
        self._router, self._left = router, at

    def p_local(self, question: Outcome) -> float:
        """P(the local answer is right)."""
        if self._left == 0:
            self._router.note_swap()
        self._left -= 1
        return self._router.p_local(question)

    def will_do(self, question: Outcome) -> float:
        """How probably a local answer will do."""
        return self._router.will_do(question)

    def learn(self, question: Outcome, local: bool | None, teacher: bool | None) -> None:
        """Take in what was seen."""
        self._router.learn(question, local, teacher)

    def note_swap(self) -> None:
        """Pass it on."""
        self._router.note_swap()


def figures(folder: Path, first_seed: int = 0, splits: int = SPLITS, seeds: int = SEEDS) -> Iterator[Figure]:
    """Every row of the table, one after the other."""
    offline_seeds, online_seeds = range(first_seed, first_seed + splits), range(first_seed, first_seed + seeds)
    for stream in outcomes.streams(folder):
        yield from _offline_figures(folder, stream, offline_seeds)
    for stream in outcomes.streams(folder):
        yield from _online_figures(folder, stream, online_seeds)
    for stream in outcomes.streams(folder):
        yield from _sweep_figures(folder, stream, online_seeds)
    yield from _improvement_figures(folder, online_seeds)


def _offline_figures(folder: Path, stream: str, seeds: Sequence[int]) -> Iterator[Figure]:
    runs = [offline(folder, stream, seed) for seed in seeds]
    theirs = [run["theirs"] for run in runs]
    for way in list(runs[0])[1:]:
        yield figure(f"offline APGR, {stream}, {way}", theirs, [run[way] for run in runs], AIMS["offline"].get(stream))


def _online_figures(folder: Path, stream: str, seeds: Sequence[int]) -> Iterator[Figure]:
    theirs = [online(Theirs, folder, stream, seed) for seed in seeds]
    ours = [online(Ours, folder, stream, seed) for seed in seeds]
    pairs = [tuple(zip(*side, strict=True)) for side in (theirs, ours)]
    yield figure(f"online AUROC, {stream}", pairs[0][0], pairs[1][0], AIMS["online"].get(stream))
    yield figure(f"calibration error, {stream}", pairs[0][1], pairs[1][1], 0.03, is_less_better=True)


def _sweep_figures(folder: Path, stream: str, seeds: Sequence[int]) -> Iterator[Figure]:
    theirs = [sweep(Theirs, folder, stream, seed, by_contest=False) for seed in seeds]
    ours = [sweep(Ours, folder, stream, seed, by_contest=True) for seed in seeds]
    yield figure(f"area of the sweep, {stream}", theirs, ours, AIMS["sweep"].get(stream))


def _improvement_figures(folder: Path, seeds: Sequence[int]) -> Iterator[Figure]:
    theirs = [forwarded(Theirs, folder, seed) for seed in seeds]
    ours = [forwarded(Ours, folder, seed) for seed in seeds]
    names = ("of the improved subjects", "of the others")
    for place, (name, aim) in enumerate(zip(names, (0.1, None), strict=True)):
        peer, own = ([run[place] for run in side] for side in (theirs, ours))
        yield figure(f"forward share after an improvement, {name}", peer, own, aim, is_less_better=True)


@cache
def _features(text: str) -> Vector:
    return features.of_question(text)


def _seen(question: Outcome) -> Features:
    return Features(_features(question.text), question.embedding)


@cache
def _reference_features(text: str) -> reference.Array:
    return reference.of_question(text)


def _reference_input(question: Outcome) -> reference.Array:
    return reference.router_input(_reference_features(question.text), question.embedding)


if __name__ == "__main__":
    main(__doc__, figures)
