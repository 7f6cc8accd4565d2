"""What learns in the simulations: the runtime's learners on real questions, and what they see of them."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import outcomes
from bench.outcomes import Drafted
from shammah import features
from shammah.features import ANSWER_FEATURES, QUESTION_FEATURES, Features, Vector
from shammah.forest import Forest, pooled
from shammah.generation import Completion, End, Finish
from shammah.growing import Taught, grow, rows
from shammah.heads import ROUTER, VALIDATOR, Head
from shammah.journal.heads import REFIT_LESSONS
from shammah.learners import BayesianLogistic


@dataclass(frozen=True, slots=True)
class Stream:
    """Questions as the learners see them.

    Attributes:
        is_bad: Whether the local answer is worse than the teacher's, (n,).
        router: Inputs, (n, width).
        validator: Inputs, (n, width); None where no answers are recorded.
        answers: The answers' own features, which the validator's trees see, (n, width); None likewise.
    """

    is_bad: NDArray[np.bool_]
    router: Vector
    validator: Vector | None
    answers: Vector | None

    def shuffled(self, seed: int) -> "Stream":
        """As many as a stream takes, in the order of a seed."""
        order = np.random.default_rng(1000 + seed).permutation(len(self.is_bad))[: outcomes.MIXED_QUESTIONS]
        validator, answers = (None if part is None else part[order] for part in (self.validator, self.answers))
        return Stream(self.is_bad[order], self.router[order], validator, answers)


class Pupils:
    """The learners of a run, and what they say of a question."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._router = BayesianLogistic(stream.router.shape[1])
        self._validator = None if stream.validator is None else BayesianLogistic(stream.validator.shape[1])
        self._lessons: list[int] = []
        self._forest: Forest | None = None

    def scores(self, n: int) -> tuple[float, float | None]:
        """P(a local answer will do), P(this one is good)."""
        router = self._router.probability(self._stream.router[n])
        if self._validator is None or self._stream.validator is None:
            return router, None
        p = self._validator.probability(self._stream.validator[n])
        if self._forest is None or self._stream.answers is None:
            return router, p
        return router, pooled(p, self._forest.probability(self._stream.answers[n]))

    def learn(self, n: int) -> None:
        """Take in how the local answer compares."""
        is_good = float(not self._stream.is_bad[n])
        self._router.learn(self._stream.router[n], is_good, 1.0)
        if self._validator is not None and self._stream.validator is not None:
            self._validator.learn(self._stream.validator[n], is_good, 1.0)
            self._lessons.append(n)
            if len(self._lessons) % REFIT_LESSONS == 0:
                self._grow()

    def _grow(self) -> None:
        """Grow the validator's trees anew, as the runtime does when it re-fits."""
        assert self._stream.answers is not None, "there are answers where there is a validator"
        seen, is_bad = self._stream.answers, self._stream.is_bad
        self._forest = grow(rows([Taught(seen[n], not is_bad[n]) for n in self._lessons]), VALIDATOR.trees)

    def copied(self) -> "Pupils":
        """The same, to go on apart."""
        other = copy.copy(self)
        other._router, other._validator = copy.deepcopy(self._router), copy.deepcopy(self._validator)
        other._lessons = list(self._lessons)
        return other


@cache
def seen(folder: Path, name: str, axes: int | None = None) -> Stream:
    """A file of questions, with drafts where the local model's answers are known, as the heads' learners see it.

    Args:
        folder: What `outcomes` reads.
        name: Of the stream.
        axes: As so many numbers along the inputs' principal axes; all of the inputs where it is None. The prior is the
            same in every direction, so that to turn the inputs changes nothing: what is lost is what is cut off.
    """
    drafted = outcomes.drafted(folder, name)
    bad = np.array([not one.outcome.is_not_worse for one in drafted])
    has_answers = drafted[0].answer is not None
    validator = _validator_inputs(drafted) if has_answers else None
    answers = np.array([by_validator(one).hand[VALIDATOR.trees_from :] for one in drafted]) if has_answers else None
    parts = [None if part is None else _along(part, axes) for part in (_router_inputs(drafted), validator)]
    assert parts[0] is not None, "every question has a router's inputs"
    return Stream(bad, parts[0], parts[1], answers)


def _router_inputs(drafted: Sequence[Drafted]) -> Vector:
    head = Head.fresh("bayes", len(QUESTION_FEATURES), ROUTER)
    return np.array([head.input(by_router(one)) for one in drafted], dtype=np.float32)


def _validator_inputs(drafted: Sequence[Drafted]) -> Vector:
    head = Head.fresh("bayes", len(QUESTION_FEATURES) + len(ANSWER_FEATURES), VALIDATOR)
    return np.array([head.input(by_validator(one)) for one in drafted], dtype=np.float32)


def _along(inputs: Vector, axes: int | None) -> Vector:
    if axes is None:
        return inputs
    _, directions = np.linalg.eigh(inputs.T.astype(np.float64) @ inputs)
    return np.asarray(inputs @ directions[:, ::-1][:, :axes], dtype=np.float32)


def by_router(one: Drafted) -> Features:
    """What the router sees of a question."""
    return Features(_question(one.outcome.text), one.outcome.embedding)


def by_validator(one: Drafted) -> Features:
    """What the validator sees of a question and its local answer; of an answer that is not recorded, zeros."""
    question = _question(one.outcome.text)
    unknown = np.zeros(len(ANSWER_FEATURES), dtype=np.float32)
    answer = unknown if one.answer is None else _answer(one.outcome.text, one.answer)
    return Features(np.concatenate([question, answer]), one.outcome.embedding)


@cache
def _question(text: str) -> Vector:
    return features.of_question(text)


@cache
def _answer(question: str, answer: str) -> Vector:
    return features.of_answer(question, Completion(answer, End(Finish.STOP, 0, 0)))
