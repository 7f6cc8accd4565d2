"""The validator on real answers: ours beside the reference, `python -m bench.validation --data DIR`.

A half of a file's questions teaches, the other half tests. Where a file holds a teacher's answers too (its last
model, when there are two), the local model's are tried first and the least trusted are forwarded: the cascade. With
two heads those are forwarded whose teacher is expected to add most, as `bench.routing` does it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from bench import outcomes, reference, scores
from bench.outcomes import Judged
from bench.reference import Reference
from bench.scored import Figure, figure, main
from shammah import features
from shammah.features import ANSWER_FEATURES, QUESTION_FEATURES, Features, Vector
from shammah.generation import Completion, End, Finish
from shammah.heads import VALIDATOR, Head

HAND = len(QUESTION_FEATURES) + len(ANSWER_FEATURES)
REFERENCE_WIDTH = 44
# Traits of word problems: whether sums hold, and whether the result is a whole number.
ARITHMETIC = ("failing_sums", "has_failing_sum", "holding_sums", "chained_sums", "final_is_whole")
AIMS = {"gsm8k_validate": 0.745, "gsm8k_validate_third": 0.75}
APGR_AIM, CPT50_AIM = 0.73, 18.0
TWO_HEADS = "ours, two heads"
WAYS = ("theirs", "ours", TWO_HEADS, "ours without arithmetic")


@dataclass(frozen=True, slots=True)
class Scored:
    """One way's figures on one split: mean AUROC over the answering models, and the cascade's, where there is one."""

    auroc: float
    apgr: float | None
    cpt50: float | None


@dataclass(frozen=True, slots=True)
class Split:
    """Groups of answers to the same question: to learn from, in order, and to test on.

    Attributes:
        teacher_is_right: By question, of the lessons; empty where the file holds no teacher's answers.
    """

    lessons: Sequence[Judged]
    tests: Sequence[tuple[Judged, ...]]
    teacher_is_right: Mapping[str, bool]


def split(file: Path, seed: int) -> Split:
    """A random half of the questions to learn from, all their local answers shuffled."""
    groups, chance = outcomes.answers(file), np.random.default_rng(900 + seed)
    order = chance.permutation(len(groups))
    half = len(groups) // 2
    lessons = [one for n in order[:half] for one in groups[n] if not _is_teacher(one)]
    shuffled = [lessons[n] for n in chance.permutation(len(lessons))]
    teacher = {one.question: one.is_right for n in order[:half] for one in groups[n] if _is_teacher(one)}
    return Split(shuffled, [groups[n] for n in order[half:]], teacher)


def measure(file: Path, seed: int) -> dict[str, Scored]:
    """All ways on one split; two heads where there is a teacher."""
    halves = split(file, seed)
    ways = [way for way in WAYS if way != TWO_HEADS or halves.teacher_is_right]
    return {way: _scored(halves, _judged(way, halves)) for way in ways}


def _judged(way: str, halves: Split) -> dict[Judged, float]:
    """P(right) for every local answer of the tests, after the lessons."""
    tests = [one for group in halves.tests for one in group if not _is_teacher(one)]
    if way == "theirs":
        peer = Reference(REFERENCE_WIDTH)
        for one in halves.lessons:
            peer.learn(_reference_input(one), one.is_right)
        return {one: peer.probability(_reference_input(one)) for one in tests}
    has_arithmetic = way in ("ours", TWO_HEADS)
    head = Head.fresh("bayes", HAND, VALIDATOR)
    head.grow([head.learn(_seen(one, has_arithmetic), one.is_right, 1.0, 0) for one in halves.lessons])
    added = _added(halves, tests) if way == TWO_HEADS else dict.fromkeys(tests, 0.0)
    return {one: head.probability(_seen(one, has_arithmetic)) - added[one] for one in tests}


def _added(halves: Split, tests: Sequence[Judged]) -> dict[Judged, float]:
    """P(the teacher is right) of the tests, by a head that sees questions alone."""
    head = Head.fresh("bayes", len(QUESTION_FEATURES))
    for one in halves.lessons:
        head.learn(_asked(one), halves.teacher_is_right[one.question], 1.0, 0)
    return {one: head.probability(_asked(one)) for one in tests}


def _scored(halves: Split, p: dict[Judged, float]) -> Scored:
    models = sorted({one.model for one in p})
    of_model = [[one for one in p if one.model == model] for model in models]
    auroc = np.mean([scores.auroc([one.is_right for one in ones], [p[one] for one in ones]) for ones in of_model])
    pairs = [_sides(group) for group in halves.tests]
    if any(teacher is None for _, teacher in pairs):
        return Scored(float(auroc), None, None)
    need = [-p[local] for local, _ in pairs]
    right = [[side.is_right for side in sides if side] for sides in zip(*pairs, strict=True)]
    return Scored(float(auroc), scores.apgr(need, *right), scores.cpt50(need, *right))


def _sides(group: Sequence[Judged]) -> tuple[Judged, Judged | None]:
    local = next(one for one in group if not _is_teacher(one))
    return local, next((one for one in group if _is_teacher(one)), None)


def _is_teacher(one: Judged) -> bool:
    return one.model.startswith(outcomes.TEACHERS)


def figures(folder: Path, first_seed: int = 0, splits: int = 20, seeds: int = 5) -> Iterator[Figure]:
    """Every row of the table; `seeds` is of no use here."""
    for file in sorted(folder.glob("*_validate*.jsonl")):
        runs = [measure(file, seed) for seed in range(first_seed, first_seed + splits)]
        for way in list(runs[0])[1:]:
            yield from _rows(file.stem, way, [run["theirs"] for run in runs], [run[way] for run in runs])


def _rows(name: str, way: str, theirs: Sequence[Scored], ours: Sequence[Scored]) -> Iterator[Figure]:
    if way != TWO_HEADS:  # what the teacher adds is no question of the answer alone
        peer, own = ([one.auroc for one in side] for side in (theirs, ours))
        yield figure(f"AUROC, {name}, {way}", peer, own, AIMS.get(name))
    sides = [[one.apgr for one in side if one.apgr is not None] for side in (theirs, ours)]
    if sides[0]:
        yield figure(f"cascade APGR, {name}, {way}", sides[0], sides[1], APGR_AIM)
        calls = [[one.cpt50 for one in side if one.cpt50 is not None] for side in (theirs, ours)]
        yield figure(f"cascade CPT50, {name}, {way}", calls[0], calls[1], CPT50_AIM, is_less_better=True)


@cache
def _hand(question: str, answer: str) -> Vector:
    completion = Completion(answer, End(Finish.STOP, 0, 0))
    return np.concatenate([features.of_question(question), features.of_answer(question, completion)])


def _seen(one: Judged, has_arithmetic: bool) -> Features:
    hand = _hand(one.question, one.answer)
    if not has_arithmetic:
        hand = hand.copy()
        hand[[len(QUESTION_FEATURES) + ANSWER_FEATURES.index(name) for name in ARITHMETIC]] = 0
    return Features(hand, one.embedding)


def _asked(one: Judged) -> Features:
    return Features(features.of_question(one.question), one.embedding)


@cache
def _reference_hand(question: str, answer: str) -> reference.Array:
    return reference.validator_input(question, answer)


def _reference_input(one: Judged) -> reference.Array:
    return _reference_hand(one.question, one.answer)


if __name__ == "__main__":
    main(__doc__, figures)
