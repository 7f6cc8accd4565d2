"""The two sides that can answer, as whoever asks them sees them."""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol

from shammah import features
from shammah.catalog import Price, dearest_price
from shammah.early import Early, Verdict
from shammah.errors import LOCALLY, BudgetReached, KeyMissing, StaysHere, TeacherError, TeacherPaused
from shammah.generation import Chunk, Completion, Finish, Sampling, Stop, Toolbox, beside, collect, never
from shammah.journal import Journal
from shammah.journal.spending import Bound
from shammah.patterns import Patterns
from shammah.policy import Reason, Side
from shammah.records.questions import NewAnswer, Question
from shammah.teacher import most_tokens
from shammah_convert.chat import Message

Restore = Callable[[Iterator[Chunk]], Iterator[Chunk]]


PLAIN = Sampling()


class LocalGenerator(Protocol):
    """The local model, as far as a question needs it."""

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """How long a prompt is, in tokens."""
        ...

    def fits(self, prompt_tokens: int, max_tokens: int, limit_tokens: int | None = None) -> bool:
        """Whether a prompt leaves room for an answer."""
        ...

    def stream(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        stop: Stop = never,
        limit_tokens: int | None = None,
    ) -> Iterator[Chunk]:
        """Complete a conversation."""
        ...


class TeacherGenerator(Protocol):
    """The teacher, as far as a question needs it."""

    model: str

    def stream(self, messages: Sequence[Message], sampling: Sampling, stop: Stop = never) -> Iterator[Chunk]:
        """Complete a conversation."""
        ...


@dataclass(frozen=True, slots=True)
class LocalSide:
    """The local side: who it is, and how it is opened when it is needed.

    Attributes:
        lineage: sha256 of the base.
        open: Gives the model with the active adapters applied, loading it the first time.
        limit_tokens: Upper bound of the context; None means what the model was trained for.
        is_stand_in: It is the built-in model, until the one that is wanted has been fetched.
        is_elsewhere: A server runs it, and it takes no memory of ours.
        is_away: That server is another machine, where nothing goes that stays on this one.
        verify: Sees, after an answer, that the base's file was not written over meanwhile.
    """

    lineage: str
    name: str
    open: Callable[[], LocalGenerator]
    limit_tokens: int | None = None
    is_stand_in: bool = False
    is_elsewhere: bool = False
    is_away: bool = False
    verify: Callable[[], None] = lambda: None

    def fits(self, messages: Sequence[Message], sampling: Sampling) -> bool:
        """Whether a conversation leaves room for an answer in the context; counted exactly."""
        generator = self.open()
        return generator.fits(generator.count_tokens(messages), sampling.max_tokens, self.limit_tokens)

    def complete(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        show: Callable[[str], None],
        stop: Stop = never,
        is_hopeless: Verdict | None = None,
    ) -> Completion:
        """Answer a conversation; where the first tokens are judged hopeless, not to its end.

        Raises:
            ContextTooLong: It does not fit.
            ModelChanged: The base's file was written over.
        """
        if is_hopeless is None:
            completion = collect(self.open().stream(messages, sampling, stop, self.limit_tokens), show)
        else:
            early = Early(is_hopeless, stop)
            chunks = self.open().stream(messages, sampling, early.stop, self.limit_tokens)
            completion = early.name(collect(early.watch(chunks), show))
        self.verify()
        return completion

    def answer(self, completion: Completion, reason: Reason, seconds: dict[str, float]) -> NewAnswer:
        """A completion as an answer for the journal: not shown and not verified, until somebody says so."""
        return _answer(completion, Side.LOCAL, self.name, reason, seconds)


@dataclass(frozen=True, slots=True)
class TeacherSide:
    """The teacher's side; `generator` is None without a key; whoever asks sends nothing that `stays_here` matches.

    Attributes:
        who: What it is called in a sentence.
        heeds_outage: Whether it is left alone where it was out of reach several times in a row.
    """

    generator: TeacherGenerator | None
    price: Price | None
    max_tokens: int
    max_usd_per_day: float
    max_usd_per_month: float = math.inf
    stays_here: Patterns = field(default_factory=Patterns)
    who: str = "Claude"
    heeds_outage: bool = True

    def keeps(self, messages: Sequence[Message]) -> bool:
        """Whether something in a conversation never leaves this machine."""
        return self.stays_here.meet(message.content for message in messages)

    def passed(self, journal: Journal, messages: Sequence[Message]) -> Bound | None:
        """Which budget does not cover the worst case of a call; None where it may be made."""
        return journal.spending.passed(self.worst_cost_usd(messages), self.max_usd_per_day, self.max_usd_per_month)

    def worst_cost_usd(self, messages: Sequence[Message]) -> float:
        """What a call can cost at most: every byte a token, the longest answer, the dearest price if none is known."""
        tokens = most_tokens(messages)
        cost = self.price.cost_usd(tokens, self.max_tokens) if self.price else None
        if cost is None:
            cost = dearest_price().cost_usd(tokens, self.max_tokens)
        assert cost is not None, "the dearest price has no bound"
        return cost

    def complete(
        self,
        journal: Journal,
        question: Question | None,
        show: Callable[[str], None],
        stop: Stop = never,
        restore: Restore = iter,
        messages: Sequence[Message] | None = None,
        sampling: Sampling = PLAIN,
    ) -> Completion:
        """Answer a recorded question, redacted as it is, within the budgets of the day and of the month.

        Args:
            journal: Keeps the budget.
            question: With its whole conversation; None where nobody asked one, and `messages` are all.
            show: Gets each piece of the answer, restored.
            stop: Ends the call early.
            restore: Puts secrets back where placeholders stand; the completion itself keeps the placeholders.
            messages: What is sent in the place of the question's conversation, redacted.
            sampling: What is wanted of the answer, a schema and tools among it; how long it may be is settled here.

        Raises:
            StaysHere: `privacy.never_forward` matches what would be sent.
            KeyMissing: There is no key, or it is refused.
            BudgetReached: What is left of the day's budget, or of the month's, does not cover the worst case.
            TeacherPaused: It was out of reach several times in a row, and is left alone for a while.
            TeacherError: No whole answer came.
        """
        messages = messages or (question.context if question else ())
        wanted = replace(sampling, max_tokens=self.max_tokens)
        self._heed_outage(journal)
        reservation = self._reserve(journal, question, messages, wanted)
        said: list[Chunk] = []
        try:
            collect(restore(_kept(self._stream(messages, wanted, stop), said)), show)
        except (KeyMissing, TeacherError) as error:
            self._fail(journal, reservation, error)
            raise
        return self._settle(journal, reservation, collect(said))

    def _heed_outage(self, journal: Journal) -> None:
        """Let nobody wait for who was out of reach several times in a row."""
        if self.generator is None or not self.heeds_outage:
            return
        outage = journal.outages.enter(self.generator.model, time.time())
        if outage is not None:
            raise TeacherPaused(outage.in_words(self.who))

    def _note(self, journal: Journal, is_away: bool) -> None:
        if self.generator is not None:
            journal.outages.note(self.generator.model, is_away, time.time())

    def _reserve(
        self, journal: Journal, question: Question | None, messages: Sequence[Message], wanted: Sampling
    ) -> int:
        """Set the worst case of a call aside, where nothing in it is to stay here."""
        if self.keeps(messages) or self.stays_here.meet(beside(wanted)):
            raise StaysHere("something in this conversation matches `privacy.never_forward`")
        worst = self.worst_cost_usd(sent(messages, wanted.schema, wanted.toolbox))
        reservation = journal.spending.reserve(worst, self.max_usd_per_day, question, self.max_usd_per_month)
        if reservation is None:
            raise budget_reached(self.passed(journal, messages), self.who)
        return reservation

    def _settle(self, journal: Journal, reservation: int, completion: Completion) -> Completion:
        """Replace what was set aside by what the call cost; an interrupted call's use is unknown, and its stays."""
        if completion.end.finish is not Finish.INTERRUPTED:
            if completion.end.cost_usd is not None:
                journal.spending.settle(reservation, completion.end.cost_usd)
            self._note(journal, is_away=False)
        return completion

    def _fail(self, journal: Journal, reservation: int, error: KeyMissing | TeacherError) -> None:
        """Give back what was set aside for a call that surely cost nothing, and note who was out of reach."""
        if error.is_free:
            journal.spending.settle(reservation, 0.0)
        self._note(journal, isinstance(error, TeacherError) and error.is_away)

    def _stream(self, messages: Sequence[Message], sampling: Sampling, stop: Stop) -> Iterator[Chunk]:
        if self.generator is None:
            raise KeyMissing("the teacher has no key")
        return self.generator.stream(messages, sampling, stop)

    def answer(self, completion: Completion, reason: Reason, seconds: dict[str, float]) -> NewAnswer:
        """A completion as an answer for the journal: not shown, verified where it is whole."""
        assert self.generator is not None, "a teacher that answered has a generator"
        answer = _answer(completion, Side.TEACHER, self.generator.model, reason, seconds)
        return replace(answer, is_verified=completion.end.finish is Finish.STOP, cost_usd=completion.end.cost_usd)


def sent(
    messages: Sequence[Message], schema: Mapping[str, object] | None = None, toolbox: Toolbox | None = None
) -> Sequence[Message]:
    """All that is sent, as messages: a schema and tools are read as tokens, too."""
    more = [json.dumps(schema)] if schema is not None else []
    more += [json.dumps(asdict(toolbox), default=sorted)] if toolbox is not None else []
    return [*messages, *(Message("system", text) for text in more)]


def budget_reached(bound: Bound | None, who: str) -> BudgetReached:
    """The error that names the budget which was reached, and its setting."""
    bound = bound or "day"  # another process has settled meanwhile
    wait = "tomorrow" if bound == "day" else "the first of the month"
    return BudgetReached(
        f"the {bound}'s budget for {who} does not cover this question",
        hint=f"Raise `teacher.max_usd_per_{bound}`, wait for {wait}, or {LOCALLY}.",
    )


def _kept(chunks: Iterator[Chunk], said: list[Chunk]) -> Iterator[Chunk]:
    """Pass chunks on and keep them."""
    for chunk in chunks:
        said.append(chunk)
        yield chunk


def _answer(completion: Completion, side: Side, model: str, reason: Reason, seconds: dict[str, float]) -> NewAnswer:
    return NewAnswer(
        side=side,
        is_shown=False,
        text=completion.text,
        reason=reason,
        finish=completion.end.finish,
        model=model,
        adapters=completion.end.adapters,
        is_verified=False,
        prompt_tokens=completion.end.prompt_tokens,
        completion_tokens=completion.end.completion_tokens,
        seconds=seconds,
    )


def with_features(answer: NewAnswer, question: str, completion: Completion) -> NewAnswer:
    """A local answer with what the validator sees of it."""
    return replace(answer, features=features.of_answer(question, completion), feature_version=features.VERSION)
