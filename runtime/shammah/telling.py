"""What is told of an outcome: as an object, and in lines beside the answer."""

from typing import Any

from shammah import catalog, policy, quality, teacher
from shammah.asked import Asked, Told
from shammah.assembly import Parts
from shammah.generation import Finish
from shammah.policy import Side
from shammah.turn import Outcome, is_private


def told(outcome: Outcome, parts: Parts, with_reasons: bool) -> Told:
    """All that whoever asked may want to know."""
    return Told(
        outcome=as_object(outcome),
        count=outcome.count,
        introduction=introduction(outcome, parts),
        notes=tuple(notes(outcome)),
        reasons=tuple(reasons(outcome, parts)) if with_reasons else (),
    )


def announcement(parts: Parts) -> str:
    """Before the first forward that a person sees: to whom it goes, for how much, and how to stop it; then nothing."""
    if not parts.journal.notices.raise_flag("teacher_announced"):
        return ""
    settings = parts.settings.teacher
    price = teacher.price_of(settings)
    cost = f"${price.input:g} in, ${price.output:g} out a million tokens" if price else "price unknown"
    return (
        f"This question goes to {settings.model} ({cost}; ${settings.max_usd_per_day:g} a day at most,"
        f" ${settings.max_usd_per_month:g} a month: teacher.max_usd_per_day, teacher.max_usd_per_month)."
        " `shammah ask --local` keeps a question here, --offline everything."
    )


def before_forward(asked: Asked, parts: Parts, worst_usd: float) -> list[str]:
    """What is said before a question goes to the teacher, where somebody hears it or wants to know."""
    first = announcement(parts) if asked.hears_price else ""
    return [*([first] if first else ()), *([worst_case(parts, worst_usd)] if asked.tells_why else ())]


def worst_case(parts: Parts, worst_usd: float) -> str:
    """What a forward costs at most, and what is left of the budgets."""
    most, spending = parts.settings.teacher, parts.journal.spending
    left_today = max(0.0, most.max_usd_per_day - spending.usd_today())
    left_this_month = max(0.0, most.max_usd_per_month - spending.usd_this_month())
    reckoned = "" if teacher.price_of(most) else " (its price is unknown: reckoned at the dearest that is known)"
    return (
        f"cost: at most ${worst_usd:.4f}{reckoned}; left today: ${left_today:.4f} of ${most.max_usd_per_day:g},"
        f" this month: ${left_this_month:.4f} of ${most.max_usd_per_month:g}"
    )


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


def introduction(outcome: Outcome, parts: Parts) -> str:
    """Who answered, and how to have a better one, where that is the built-in model; else nothing."""
    is_local = outcome.answer.side == Side.LOCAL and not parts.server
    if not (is_local and parts.is_seedling) or outcome.answer.finish == Finish.INTERRUPTED:
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
        lines.append(f"{teacher.called(shown.model)} declined to answer this as it stands.")
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
        f"model: {shown.model}, adapters: {_adapters(shown.adapters)}{_chosen(outcome, parts)}",
        f"tokens: {shown.prompt_tokens} in, {shown.completion_tokens} out; {_stages(outcome.seconds)}",
    ]  # fmt: skip
    if parts.model is not None and parts.model.facts.layers == 0:
        lines.append(f"engine: {parts.server}, context {parts.model.context_tokens}")
    elif parts.model is not None:
        lines.append(
            f"engine: {parts.model.threads} threads, {parts.model.gpu_layers} of {parts.model.facts.layers} layers"
            f" on the GPU, context {parts.model.context_tokens}"
        )
    if shown.side == Side.TEACHER:
        cost = "unknown" if shown.cost_usd is None else f"${shown.cost_usd:.6f}"
        url = parts.access.url if parts.access else ""
        lines.append(f"teacher: {url}, cost {cost}{_listed(shown.model)}, {outcome.redactions} secrets kept")
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


def _listed(model: str) -> str:
    """Of which day a price is that the catalog knows."""
    return f" (list price of {catalog.prices_date()})" if catalog.price_of(model) else ""


def _probability(value: float | None) -> str:
    return "not asked" if value is None else f"{value:.2f}"


def _adapters(adapters: tuple[tuple[str, float], ...]) -> str:
    return ", ".join(f"{name}:{scale:g}" for name, scale in adapters) or "none"


def _chosen(outcome: Outcome, parts: Parts) -> str:
    """How adapters are chosen, where the question has a say."""
    way, active = parts.settings.adapters.domains, parts.journal.adapters.active(outcome.question.lineage)
    if outcome.answer.side == Side.LOCAL and active and not outcome.answer.adapters:
        return f" (near to nothing that {_adapters(active)} has learnt)"
    return "" if way == "off" else f" (domains: {way})"


def _stages(seconds: dict[str, float]) -> str:
    return ", ".join(f"{stage} {value:.2f} s" for stage, value in seconds.items())
