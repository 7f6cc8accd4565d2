"""How `shammah ask` answers: the rooms put together, the screen chosen, the outcome written."""

import json
import sys
from dataclasses import dataclass
from typing import Any

from shammah import catalog, policy, quality, schedule
from shammah.assembly import Parts
from shammah.assistant import Assistant
from shammah.cli import bootstrap
from shammah.cli.interrupt import Interrupt
from shammah.cli.screen import Silent, Terminal, harmless, say, write
from shammah.config import Settings
from shammah.errors import Interrupted, UsageError
from shammah.generation import Finish, Sampling
from shammah.hardware import BusyMeter
from shammah.journal import Journal
from shammah.memory import Precedence
from shammah.policy import Side
from shammah.records import Answer, Question
from shammah.turn import Outcome, Request, is_private
from shammah_convert.chat import Message


@dataclass(frozen=True, slots=True)
class Options:
    """The flags of `shammah ask` that are no settings."""

    text: str
    session: str
    forced: Side | None
    wants_verified: bool
    goes_on: bool
    seed: int | None
    max_teacher_tokens: int | None
    as_json: bool
    tells_why: bool


def answer(options: Options, settings: Settings, meter: BusyMeter) -> None:
    """Answer one question and write the answer.

    Raises:
        ShammahError: It cannot be answered as asked.
    """
    stop = Interrupt()
    with Journal(settings.home) as journal, Precedence(settings.home, journal, say) as precedence:
        for notice in journal.take_notices():
            say(notice)
        bootstrap.offer(settings, journal)
        parts = Parts(settings, journal, meter, say, stop, options.max_teacher_tokens)
        local = precedence.around(parts.local(), parts.base)
        parts.adopt()
        assistant = Assistant(
            journal,
            parts.heads,
            local,
            parts.teacher(),
            parts.embed,
            contract=parts.contract,
            rates=settings.sampling,
        )
        shows_live = sys.stdout.isatty() and not options.as_json
        screen = (Terminal if shows_live else Silent)(
            lambda worst_usd: _forwarding(parts, worst_usd, options.tells_why)
        )
        request = _request(options, settings, journal)
        with stop:
            outcome = assistant.ask(request, screen, stop)
        _write(outcome, options, shows_live)
        _say_more(outcome, options, parts)
        if outcome.answer.side == Side.TEACHER and (line := schedule.consider(journal, settings)):
            say(line)
        if settings.worker.enabled and journal.jobs.waiting():
            from shammah import worker  # most questions leave no work

            worker.start(settings.home, settings.offline)
    if outcome.answer.finish == Finish.INTERRUPTED:
        raise Interrupted("interrupted")


def _request(options: Options, settings: Settings, journal: Journal) -> Request:
    last = _last(journal, options.session) if options.goes_on else None
    keeps = last is not None and is_private(last[1])
    stays = last is not None and not last[0].may_go_online and options.forced is not Side.TEACHER
    if stays and not keeps and not settings.offline:
        say("This conversation stays on this machine, as it began; --teacher would forward all of it.")
    return Request(
        text=options.text,
        session=options.session,
        history=(*last[0].context, Message("assistant", last[1].text)) if last else (),
        system=settings.answer.system,
        forced=options.forced,
        wants_verified=options.wants_verified,
        is_offline=settings.offline or stays,
        is_private=keeps,
        sampling=Sampling(settings.answer.max_tokens, settings.answer.temperature, options.seed),
    )


def _last(journal: Journal, session: str) -> tuple[Question, Answer]:
    """The last answer of this terminal; of all, where this one has none."""
    last = journal.last_question(session)
    shown = journal.shown(last) if last else None
    if last is None or shown is None:
        raise UsageError("there is no answer to continue from", hint="Ask without -c first.")
    return last, shown


def _forwarding(parts: Parts, worst_usd: float, tells_why: bool) -> None:
    """Before a forward: what it costs at most, where somebody wants to know."""
    announce(parts)
    if tells_why:
        say(_worst_case(parts, worst_usd))


def _worst_case(parts: Parts, worst_usd: float) -> str:
    most, spending = parts.settings.teacher, parts.journal.spending
    left_today = max(0.0, most.max_usd_per_day - spending.usd_today())
    left_this_month = max(0.0, most.max_usd_per_month - spending.usd_this_month())
    reckoned = "" if catalog.price_of(most.model) else " (its price is unknown: reckoned at the dearest that is known)"
    return (
        f"cost: at most ${worst_usd:.4f}{reckoned}; left today: ${left_today:.4f} of ${most.max_usd_per_day:g},"
        f" this month: ${left_this_month:.4f} of ${most.max_usd_per_month:g}"
    )


def announce(parts: Parts) -> None:
    """Before the first forward that a person sees: to whom it goes, for how much, and how to stop it."""
    if not sys.stderr.isatty() or not parts.journal.raise_flag("teacher_announced"):
        return
    settings = parts.settings.teacher
    price = catalog.price_of(settings.model)
    cost = f"${price.input:g} in, ${price.output:g} out a million tokens" if price else "price unknown"
    say(
        f"This question goes to {settings.model} ({cost}; ${settings.max_usd_per_day:g} a day at most,"
        f" ${settings.max_usd_per_month:g} a month: teacher.max_usd_per_day, teacher.max_usd_per_month)."
        " --local keeps a question here, --offline everything."
    )


def _write(outcome: Outcome, options: Options, was_live: bool) -> None:
    if options.as_json:
        write(json.dumps(as_object(outcome), ensure_ascii=False))
    elif not was_live and outcome.answer.finish != Finish.INTERRUPTED:
        write(harmless(outcome.text))


def as_object(outcome: Outcome) -> dict[str, Any]:
    """The outcome as `docs/ask.schema.json` describes it."""
    shown = outcome.answer
    return {
        "id": outcome.question.id,
        "answer": outcome.text,
        "route": shown.side,
        "reason": shown.reason,
        "verified": shown.is_verified,
        "sampled": outcome.question.is_sampled,
        "finish_reason": shown.finish,
        "model": shown.model,
        "adapters": [{"name": name, "scale": scale} for name, scale in shown.adapters],
        "router_probability": outcome.question.router_probability,
        "validator_probability": outcome.validator_probability,
        "prompt_tokens": shown.prompt_tokens,
        "completion_tokens": shown.completion_tokens,
        "seconds": outcome.seconds,
        "cost_usd": shown.cost_usd,
        "redactions": outcome.redactions,
        "embedding": outcome.question.embedding is not None,
    }


def _say_more(outcome: Outcome, options: Options, parts: Parts) -> None:
    first = introduction(outcome, parts)
    for line in [*([first] if first else ()), *notes(outcome), *(reasons(outcome, parts) if options.tells_why else ())]:
        say(line)


def introduction(outcome: Outcome, parts: Parts) -> str:
    """Who answered, and how to have a better one, where that is the built-in model; else nothing."""
    if outcome.answer.side != Side.LOCAL or not parts.is_seedling or outcome.answer.finish == Finish.INTERRUPTED:
        return ""
    return f"Answered by the small built-in model. {_of_real_one(parts)}"


def notes(outcome: Outcome) -> list[str]:
    """What is worth a line beside the answer."""
    shown, lines = outcome.answer, list[str]()
    if outcome.redactions and shown.side == Side.TEACHER:
        lines.append(f"{outcome.redactions} secret{'s' * (outcome.redactions > 1)} stayed on this machine.")
    if is_private(shown):
        lines.append("This conversation stays on this machine: `privacy.never_forward`.")
    if shown.finish == Finish.REFUSAL:
        lines.append("Claude declined to answer this as it stands.")
    if shown.finish == Finish.LENGTH:
        lines.append("The answer was cut at the token limit; raise --max-tokens.")
    return lines


def _of_real_one(parts: Parts) -> str:
    """How a real model comes, or how far it is."""
    if (awaited := parts.awaited) is not None:
        way = "waits for the model hub" if awaited.error else f"is on its way ({awaited.percent}%)"
        return f"{awaited.title} {way}."
    return f"For a real one, {catalog.suggested_model().title}: shammah models pull"


def reasons(outcome: Outcome, parts: Parts) -> list[str]:
    """The decision, line by line."""
    question, shown = outcome.question, outcome.answer
    bar = question.router_threshold
    lines = [
        f"route: {shown.side} ({shown.reason}), {'verified' if shown.is_verified else 'unverified'}",
        f"phase: {outcome.count} questions counted; local from p >= {bar:g}" if bar is not None else
        f"phase: {outcome.count} of {policy.COLD_QUESTIONS} questions to learn from before the router may choose"
        if outcome.count < policy.COLD_QUESTIONS else
        f"phase: {outcome.count} questions counted",
        f"router: {_probability(question.router_probability)}, validator: {_probability(outcome.validator_probability)}"
        f", embedding: {'yes' if question.embedding is not None else 'no'}",
        f"model: {shown.model}, adapters: {_adapters(shown.adapters)}{_domains(parts.settings.adapters.domains)}",
        f"tokens: {shown.prompt_tokens} in, {shown.completion_tokens} out; {_stages(outcome.seconds)}",
    ]  # fmt: skip
    if parts.model is not None:
        lines.append(
            f"engine: {parts.model.threads} threads, {parts.model.gpu_layers} of {parts.model.facts.layers} layers"
            f" on the GPU, context {parts.model.context_tokens}"
        )
    if shown.side == Side.TEACHER:
        cost = "unknown" if shown.cost_usd is None else f"${shown.cost_usd:.6f}"
        url = parts.access.url if parts.access else ""
        lines.append(
            f"teacher: {url}, cost {cost} (list price of {catalog.prices_date()}), {outcome.redactions} secrets kept"
        )
        spending, most = parts.journal.spending, parts.settings.teacher
        lines.append(
            f"today: ${spending.usd_today():.4f} of ${most.max_usd_per_day:g};"
            f" this month: ${spending.usd_this_month():.4f} of ${most.max_usd_per_month:g}"
        )
    if parts.contract is not None and outcome.count >= policy.CAUTIOUS_QUESTIONS:
        lines.append(f"contract: {quality.in_words(parts.contract.standing(), parts.contract.max_bad_rate)}")
    if question.propensity is not None:
        lines.append(f"sampled: {'yes' if question.is_sampled else 'no'}, at rate {question.propensity:g}")
    return lines


def _probability(value: float | None) -> str:
    return "not asked" if value is None else f"{value:.2f}"


def _adapters(adapters: tuple[tuple[str, float], ...]) -> str:
    return ", ".join(f"{name}:{scale:g}" for name, scale in adapters) or "none"


def _domains(way: str) -> str:
    """How adapters are chosen, where the question has a say."""
    return "" if way == "off" else f" (domains: {way})"


def _stages(seconds: dict[str, float]) -> str:
    return ", ".join(f"{stage} {value:.2f} s" for stage, value in seconds.items())
