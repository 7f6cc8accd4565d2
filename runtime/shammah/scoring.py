"""What router and validator say of a question while it is answered."""

from dataclasses import replace

import numpy as np

from shammah import features, policy
from shammah.divergence import Embed
from shammah.early import Verdict
from shammah.features import Features
from shammah.generation import Completion
from shammah.heads import Head
from shammah.journal import Journal
from shammah.learning import Heads
from shammah.records.questions import NewAnswer
from shammah.sight import seen_by_validator
from shammah.turn import Turn


class Scorer:
    """Asks router and validator about the question that is worked on."""

    def __init__(self, journal: Journal, heads: Heads, embed: Embed | None) -> None:
        self._journal = journal
        self._heads = heads
        self._embed = embed

    def judge_question(self, turn: Turn) -> None:
        """Record P(a local answer will do) with all that it rests on."""
        head = self._heads.open("router")
        seen = self._see_question(turn, head)
        bars = policy.in_force(turn.count, turn.settled)
        turn.question = self._journal.note_route(
            turn.question, seen.hand, seen.embedding, head.probability(seen), bars, head.learner.kind
        )

    def judge_answer(self, turn: Turn, answer: NewAnswer) -> tuple[NewAnswer, float]:
        """P(the local answer is good); nothing is said before the first lesson."""
        head = self._heads.open("validator")
        if not head.lessons or answer.features is None:
            return answer, 0.0
        p_good = head.probability(self._see_answer(turn, head, answer.features))
        return replace(answer, validator_probability=p_good), p_good

    def verdict(self, turn: Turn) -> Verdict:
        """What tells of a draft's beginning whether the rest is worth waiting for."""
        head = self._heads.open("validator")

        def is_hopeless(beginning: Completion) -> bool:
            seen = self._see_answer(turn, head, features.of_answer(turn.request.text, beginning))
            return bool(head.lessons) and policy.is_hopeless(head.by_line(seen), turn.count, turn.settled)

        return is_hopeless

    def _see_question(self, turn: Turn, head: Head) -> Features:
        hand = features.of_question(turn.request.text, turn.request.earlier_turns)
        return Features(hand, self._embed(turn.question.text) if self._embed and head.sees_embedding else None)

    def _see_answer(self, turn: Turn, head: Head, answer: features.Vector) -> Features:
        seen = seen_by_validator(turn.question, answer)
        if seen is None:  # the question took no part in routing
            question = self._see_question(turn, head)
            seen = Features(np.concatenate([question.hand, answer]), question.embedding)
        return seen
