"""`shammah explain`: why an answer came from where it came."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shammah import config
from shammah.cli import complete, session
from shammah.cli.log import shorten
from shammah.cli.screen import say, tell, write
from shammah.errors import UsageError

if TYPE_CHECKING:
    from shammah.explaining import Explanation, Neighbour, Said
    from shammah.journal import Journal
    from shammah.quality import Promise
    from shammah.records.questions import Answer, Question

SHOWN_FEATURES = 6

Id = Annotated[
    str | None,
    typer.Argument(
        metavar="[ID]", help="Of a question, or its beginning; else the last one.", autocompletion=complete.questions
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]


def explain(id: Id = None, as_json: AsJson = False) -> None:
    """Tell why an answer came from where it came: both heads, what spoke in them, the contract, similar questions."""
    from shammah import explaining, quality
    from shammah.assembly import Parts
    from shammah.hardware import BusyMeter
    from shammah.journal import Journal
    from shammah.learning import Heads

    settings = config.load()
    with Journal(settings.home) as journal:
        question, shown = _find(journal, id)
        heads = Heads(settings.home, journal, question.lineage, settings.heads.learner)
        embed = Parts(settings, journal, BusyMeter(), say).embed
        found = explaining.explain(journal, heads, question, shown, embed)
        held = quality.of_base(settings, journal, question.lineage)
        promise = quality.promise(held, journal.count(question.lineage))
        if as_json:
            write(json.dumps(as_object(found, promise)))
        else:
            tell("\n".join(lines(found, promise)))


def _find(journal: "Journal", id: str | None) -> "tuple[Question, Answer]":
    question = journal.question(id) if id else journal.last_question(session.current())
    if question is None and not id:
        raise UsageError("nothing was asked yet", hint='Ask something: shammah ask "how do I list hidden files"')
    if question is None:
        raise UsageError(f"no one question has the id {id!r}", hint="See `shammah log`.")
    shown = journal.shown(question)
    if shown is None:
        raise UsageError(f"question {question.id} has no answer", hint="See `shammah log`.")
    return question, shown


def as_object(found: "Explanation", promise: "Promise") -> dict[str, Any]:
    """The explanation as one object."""
    return {
        "id": found.question.id,
        "route": found.shown.side,
        "reason": found.shown.reason,
        "why": found.why,
        "questions_before": found.count,
        "heads": [
            {
                "head": said.head,
                "probability": said.probability,
                "threshold": said.threshold,
                "probability_now": said.probability_now,
                "spoke": dict(said.spoke),
            }
            for said in found.said
        ],
        "contract": _contract(promise),
        "neighbours": [
            {"id": one.id, "text": one.text, "similarity": one.similarity, "local_was_good": one.is_good}
            for one in found.neighbours
        ],
    }


def _contract(promise: "Promise") -> dict[str, Any]:
    standing = promise.standing
    return {
        "state": promise.state,
        "max_bad_rate": promise.max_bad_rate,
        "estimate": standing and standing.estimate,
        "bound": standing and standing.bound,
        "share": standing and standing.share,
        "judged": standing and standing.judged,
        "certain": standing and standing.certain,
        "by_similarity": promise.is_by_similarity,
        "router_threshold": promise.thresholds.router,
        "validator_threshold": promise.thresholds.validator,
    }


def lines(found: "Explanation", promise: "Promise") -> list[str]:
    """The explanation in words."""
    told = [
        f"{found.question.id}  {shorten(found.question.text, 14)}",
        f"answered by {found.shown.model} ({found.shown.side}): {found.why} ({found.shown.reason}).",
        f"{found.count} questions were counted before it.",
    ]
    for said in found.said:
        told += ["", *_of_head(said)]
    told += ["", *_of_contract(promise)]
    if found.neighbours:
        told += ["", "similar questions:", *map(_of_neighbour, found.neighbours)]
    return told


def _of_head(said: "Said") -> list[str]:
    then = "was not asked" if said.probability is None else f"said {said.probability:.2f}"
    bar = "no threshold applied" if said.threshold is None else f"threshold {said.threshold:g}"
    lines = [f"{said.head} {then}, {bar}; it would say {said.probability_now:.2f} now, because of"]
    spoke = [f"  {value:+.3f}  {name}" for name, value in said.spoke[:SHOWN_FEATURES]]
    return [*lines, *(spoke or ["  nothing: it has learnt nothing yet"])]


def _of_contract(promise: "Promise") -> list[str]:
    from shammah import quality

    lines = [f"quality contract now: {quality.STATES[promise.state]}"]
    if promise.standing is not None and promise.max_bad_rate is not None:
        lines.append(f"  {quality.evidence_in_words(promise.standing, promise.max_bad_rate)}")
    router = promise.thresholds.router
    bar = "lets nothing pass" if router is None else f"threshold {router:.3g}"
    return [*lines, f"  router {bar}, validator threshold {promise.thresholds.validator:.3g}"]


def _of_neighbour(one: "Neighbour") -> str:
    verdict = {None: "not compared", True: "local was good", False: "local was worse"}[one.is_good]
    return f"  {one.similarity:.2f}  {one.id}  {verdict:<15}  {shorten(one.text, 38)}"
