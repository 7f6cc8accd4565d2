"""The one path of a question: `Assistant.ask`."""

import random
from dataclasses import replace

from shammah import categories, policy
from shammah.divergence import Embed
from shammah.drafting import Drafter
from shammah.errors import (
    BudgetReached,
    ContextTooLong,
    EngineError,
    KeyMissing,
    NothingVerified,
    ShammahError,
    TeacherError,
)
from shammah.generation import Completion, Finish, Stop, never
from shammah.journal import Journal
from shammah.journal.checkpoints import CHECKPOINT_JOB, CHECKPOINT_QUESTIONS
from shammah.learning import Heads
from shammah.policy import Forward, Limits, Local, Reason, Route, Side
from shammah.privacy import Redactor
from shammah.quality import Contract
from shammah.rates import DEFAULT_RATES, SamplingRates
from shammah.records.questions import NewAnswer
from shammah.sampling import propensity
from shammah.scoring import Scorer
from shammah.sides import LocalSide, TeacherSide
from shammah.turn import Outcome, Request, Screen, Turn


class Assistant:
    """Answers questions: locally when it can, by the teacher when it must; learning is left to the worker."""

    def __init__(
        self,
        journal: Journal,
        heads: Heads,
        local: LocalSide | None,
        teacher: TeacherSide,
        embed: Embed | None = None,
        chance: random.Random | None = None,
        contract: Contract | None = None,
        rates: SamplingRates = DEFAULT_RATES,
    ) -> None:
        """Put the parts together.

        Args:
            journal: Where everything is recorded.
            heads: Router and validator.
            local: None where there is no local model yet.
            teacher: Claude, with its budget.
            embed: Turns a question into a unit vector; None without an embedder.
            chance: Decides what is sampled.
            contract: Sets the thresholds; None where they are fixed.
            rates: How often the other side is asked as well.
        """
        self._journal = journal
        self._local = local
        self._teacher = teacher
        self._scorer = Scorer(journal, heads, embed)
        self._drafter = Drafter(local, self._scorer)
        self._chance = chance or random.Random()
        self._contract = contract
        self._rates = rates

    def ask(self, request: Request, screen: Screen, stop: Stop = never) -> Outcome:
        """Answer a question.

        Raises:
            ShammahError: Nobody can answer as asked; the question stays in the journal.
        """
        turn = self._begin(request)
        with turn.timed("total"):
            try:
                route = self._route(turn)
                if isinstance(route, Local):
                    route = self._draft(turn, route, screen, stop)
            except (EngineError, ContextTooLong) as error:
                route = self._without_local(turn, error, screen)
            if isinstance(route, Forward):
                self._forward(turn, route, screen, stop)
        return self._finish(turn)

    def _begin(self, request: Request) -> Turn:
        """Redact and record the question before anyone works on it."""
        redactor = Redactor()
        context = redactor.redact_all(request.context)
        lineage = self._local.lineage if self._local else ""
        request = request.heeding(self._teacher.stays_here, context)
        question = self._journal.begin(
            request.session, lineage, context, redactor.count, may_go_online=request.may_go_online, id=request.id
        )
        limits = Limits(
            forced=request.forced,
            is_offline=request.is_offline,
            has_key=self._teacher.generator is not None,
            has_budget=self._teacher.passed(self._journal, context) is None,
            local_is_ready=self._local is not None,
            wants_verified=request.wants_verified,
            is_stand_in=self._local is not None and self._local.is_stand_in,
            is_private=request.is_private,
            local_is_away=self._local is not None and self._local.is_away,
        )
        count = self._journal.count(lineage)
        settled = self._contract.thresholds(count) if self._contract else policy.FIXED
        return Turn(request, redactor, question, limits, count, settled)

    def _route(self, turn: Turn) -> Route:
        """Choose who answers; the local model is opened only where its context decides."""
        if turn.limits.forced is Side.TEACHER:
            policy.check_teacher(turn.limits)
        elif self._local and (turn.limits.no_teacher or policy.threshold(turn.count, turn.settled) is not None):
            policy.check_local(turn.limits)
            with turn.timed("load"):
                fits = self._local.fits(turn.request.context, turn.request.sampling)
            turn.limits = replace(turn.limits, prompt_fits=fits)
        if turn.limits.is_counted:
            with turn.timed("route"):
                self._scorer.judge_question(turn)
        return policy.route(turn.question.router_probability or 0.0, turn.count, turn.limits, turn.settled)

    def _without_local(self, turn: Turn, error: ShammahError, screen: Screen) -> Route:
        """Send a question on that the local model failed at; what it was worth locally nobody knows."""
        chosen = policy.without_local(error, turn.limits)
        self._journal.uncount(turn.question)
        screen.discard(f"the local model failed ({error}); {self._teacher.who} answers")
        return chosen

    def _draft(self, turn: Turn, route: Local, screen: Screen, stop: Stop) -> Route:
        """Let the local model answer; the validator may send the question on after all."""
        may_be_replaced = turn.limits.wants_verified or turn.limits.no_teacher is None
        completion = self._drafter.draft(turn, screen.draft if may_be_replaced else screen.final, stop)
        answer = self._drafter.answer(turn, completion, route.reason)
        if completion.end.finish is Finish.INTERRUPTED:
            self._show(turn, answer, completion.text, screen)
            return route
        with turn.timed("validate"):
            answer, p_good = self._scorer.judge_answer(turn, answer)
        is_whole = completion.end.finish is Finish.STOP and bool(completion.text)
        draft = policy.Draft(categories.topic(turn.request.text), completion.end.completion_tokens, is_whole)
        if policy.is_undecided(p_good, draft, turn.count, turn.limits, turn.settled):
            with turn.timed("second"):
                agrees = self._drafter.second_agrees(turn, completion, stop)
            if agrees is not None:
                p_good = policy.with_second(p_good, agrees)
                answer = replace(answer, validator_probability=p_good)
        try:
            chosen = policy.review(p_good, is_whole, route, turn.count, turn.limits, turn.settled)
        except ShammahError:
            self._journal.save(turn.question, [answer])
            screen.discard("the validator does not vouch for this draft")
            raise
        if isinstance(chosen, Forward):
            turn.answers.append(answer)
            screen.discard(f"the validator does not vouch for this draft; {self._teacher.who} answers")
            return chosen
        is_vouched = is_whole and policy.accepts(p_good, route, turn.count, turn.settled)
        self._show(turn, replace(answer, is_verified=is_vouched), completion.text, screen)
        return chosen

    def _forward(self, turn: Turn, route: Forward, screen: Screen, stop: Stop) -> None:
        """Let the teacher answer, or the local model in its place when the teacher fails."""
        screen.forwarding(self._teacher.worst_cost_usd(turn.question.context))
        try:
            with turn.timed("teacher"):
                completion = self._ask_teacher(turn, screen, stop)
        except (TeacherError, BudgetReached, KeyMissing) as error:
            self._journal.note_failure(turn.question, turn.redactor.redact(str(error)))
            if turn.limits.forced is Side.TEACHER or self._local is None:
                raise
            self._degrade(turn, error, screen, stop)
            return
        turn.stop_text = completion.end.stop_text
        answer = self._teacher.answer(completion, route.reason, turn.seconds)
        answer = replace(answer, text=turn.redactor.redact(completion.text))
        if turn.limits.wants_verified and completion.end.finish in (Finish.LENGTH, Finish.REFUSAL):
            self._journal.save(turn.question, [*turn.answers, answer])
            screen.discard(f"{self._teacher.who}'s answer is not whole ({completion.end.finish})")
            raise NothingVerified("no verified answer: the teacher gave no whole one", hint="Raise --max-tokens.")
        self._show(turn, answer, turn.redactor.restore(completion.text), screen)

    def _ask_teacher(self, turn: Turn, screen: Screen, stop: Stop) -> Completion:
        restore = turn.redactor.restore_stream
        sampling = turn.redactor.redact_sampling(turn.request.sampling)
        # Who wants this teacher alone waits for it, also where it was out of reach.
        teacher = replace(self._teacher, heeds_outage=turn.limits.forced is not Side.TEACHER)
        completion = teacher.complete(self._journal, turn.question, screen.final, stop, restore, sampling=sampling)
        is_empty = not completion.text and completion.end.finish is not Finish.INTERRUPTED
        if completion.end.finish is Finish.CUT or is_empty:
            raise TeacherError(f"{self._teacher.who} gave no answer ({completion.end.finish})")
        return completion

    def _degrade(self, turn: Turn, error: ShammahError, screen: Screen, stop: Stop) -> None:
        """Give the local answer, marked, where the teacher gave none."""
        screen.discard(f"{self._teacher.who} failed ({error}); the local model answers")
        reason = Reason.BUDGET if isinstance(error, BudgetReached) else Reason.TEACHER_FAILED
        draft = next((draft for draft in turn.answers if draft.finish != Finish.HOPELESS), None)
        self._journal.uncount(turn.question)
        if turn.limits.wants_verified:
            self._journal.save(turn.question, turn.answers)
            raise policy.unverified(replace(turn.limits, has_budget=reason is not Reason.BUDGET), error) from error
        if draft is not None:
            turn.answers.clear()
            text = turn.redactor.restore(draft.text)
            screen.final(text)
        else:
            completion = self._stand_in(turn, error, screen, stop)
            draft, text = self._drafter.answer(turn, completion, reason), completion.text
        self._show(turn, replace(draft, reason=reason), text, screen)

    def _stand_in(self, turn: Turn, error: ShammahError, screen: Screen, stop: Stop) -> Completion:
        try:
            return self._drafter.complete(turn, screen.final, stop)
        except ContextTooLong:
            raise error from None

    def _show(self, turn: Turn, answer: NewAnswer, text: str, screen: Screen) -> None:
        # What ended before its first word leaves nothing to go on from.
        turn.answers.append(replace(answer, is_shown=bool(text) or answer.finish != Finish.INTERRUPTED))
        turn.text = text
        screen.accept()

    def _finish(self, turn: Turn) -> Outcome:
        """Commit the answer with the work that it leaves to the background."""
        shown = turn.answers[-1]
        if shown.finish == Finish.INTERRUPTED:
            self._journal.uncount(turn.question)
        job, share = self._sample(turn, shown)
        saved = self._journal.save(
            turn.question,
            turn.answers,
            ("label", {"question": turn.question.number}) if job else None,
            share,
            job,
        )
        question = self._journal.question_at(turn.question.number)
        if self._local and question.is_counted and (turn.count + 1) % CHECKPOINT_QUESTIONS == 0:
            self._journal.jobs.enqueue(CHECKPOINT_JOB, {"lineage": question.lineage})
        p_good = next((a.validator_probability for a in turn.answers if a.validator_probability is not None), None)
        return Outcome(
            turn.text,
            question,
            saved[-1],
            turn.count,
            turn.redactor.count,
            turn.seconds,
            p_good,
            turn.stop_text,
        )

    def _sample(self, turn: Turn, shown: NewAnswer) -> tuple[bool, float | None]:
        """Whether the worker compares both sides, and the probability with which it was chosen.

        An answer that was cut, or that stands in for the other side's, teaches nothing.
        """
        answers_for_itself = shown.side == Side.TEACHER and shown.reason != Reason.LOCAL_FAILED
        is_label = answers_for_itself or shown.reason == Reason.LOCAL_CONFIDENT
        if not turn.limits.is_counted or self._local is None or shown.finish != Finish.STOP or not is_label:
            return False, None
        if len(turn.answers) > 1:  # both sides are here already
            return True, 1.0
        route = Forward(Reason.COLD_START) if shown.side == Side.TEACHER else Local(Reason.LOCAL_CONFIDENT)
        topic = categories.of_conversation(turn.request.context)
        since_swap = self._journal.adapters.questions_since_swap(turn.question.lineage)
        rate = self._rates.at(turn.count, topic, since_swap)
        share = propensity(route, turn.count, rate, turn.settled)
        return self._chance.random() < share, share
