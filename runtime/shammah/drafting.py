"""The local model at work on a question: a draft, and a second answer to compare it with."""

from collections.abc import Callable
from dataclasses import replace

from shammah import answer_figures, policy
from shammah.early import Verdict
from shammah.generation import Completion, Finish, Sampling, Stop
from shammah.policy import Reason
from shammah.records.questions import NewAnswer
from shammah.scoring import Scorer
from shammah.sides import LocalSide, with_features
from shammah.turn import Turn

SECOND_TEMPERATURE = 0.7
"""Of a second answer: enough to say other things where the model is not sure."""


class Drafter:
    """Lets the local model answer; None stands for one that there is not yet."""

    def __init__(self, local: LocalSide | None, scorer: Scorer) -> None:
        self._local = local
        self._scorer = scorer

    def draft(self, turn: Turn, show: Callable[[str], None], stop: Stop) -> Completion:
        """A draft; where the teacher could answer instead, one that begins hopelessly is stopped."""
        may_stop = policy.may_stop_early(turn.count, turn.limits)
        return self.complete(turn, show, stop, self._scorer.verdict(turn) if may_stop else None)

    def second_agrees(self, turn: Turn, first: Completion, stop: Stop) -> bool | None:
        """Whether the local model comes to the same result again when it is not greedy; None where it was stopped."""
        given = turn.request.sampling
        sampling = replace(
            given,
            max_tokens=min(2 * policy.LONGEST_SECOND_TOKENS, given.max_tokens),
            temperature=max(SECOND_TEMPERATURE, given.temperature),
            seed=(given.seed or 0) + 1,
        )
        second = self.complete(turn, lambda _: None, stop, sampling=sampling)
        if second.end.finish is Finish.INTERRUPTED:
            return None
        is_whole = second.end.finish is Finish.STOP and bool(second.text)
        return is_whole and answer_figures.same_result(first.text, second.text)

    def complete(
        self,
        turn: Turn,
        show: Callable[[str], None],
        stop: Stop,
        is_hopeless: Verdict | None = None,
        sampling: Sampling | None = None,
    ) -> Completion:
        """What the local model says, opened where it was not."""
        assert self._local is not None, "a local route has a local model"
        with turn.timed("load"):
            self._local.open()
        with turn.timed("local"):
            return self._local.complete(
                turn.request.context, sampling or turn.request.sampling, show, stop, is_hopeless
            )

    def answer(self, turn: Turn, completion: Completion, reason: Reason) -> NewAnswer:
        """The record of what the local model said."""
        assert self._local is not None, "a local answer has a local model"
        turn.stop_text = completion.end.stop_text
        answer = self._local.answer(completion, reason, turn.seconds)
        answer = with_features(answer, turn.request.text, completion)
        return replace(answer, text=turn.redactor.redact(completion.text))
